"""Generated anatomy: which tissue lies at a point of the patient, so that every scanner samples the same body.

Coordinates are LPS millimetres round the middle of the body part. Tissues are painted in order, later ones over
earlier ones, with borders that a smooth noise field bends, so that nothing is a perfect ellipsoid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Points = NDArray[np.float64]
Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Tissue:
    """What the scanners measure in one tissue: CT number, T1-weighted signal, FDG uptake, and its texture (0 to 1)."""

    hu: float
    t1_signal: float
    suv: float
    texture: float = 0.05


TISSUES: dict[str, Tissue] = {
    "air": Tissue(-1000, 0.0, 0.0, 0.0),
    "fat": Tissue(-95, 0.95, 0.25),
    "muscle": Tissue(55, 0.38, 0.7),
    "skin": Tissue(30, 0.55, 0.6),
    "cortical bone": Tissue(1050, 0.05, 0.6, 0.1),
    "marrow": Tissue(260, 0.7, 1.3, 0.15),
    "cerebrospinal fluid": Tissue(8, 0.14, 0.4, 0.0),
    "grey matter": Tissue(39, 0.5, 9.0),
    "white matter": Tissue(30, 0.72, 3.0),
    "oedema": Tissue(20, 0.36, 2.0),
    "tumour": Tissue(48, 0.9, 11.0, 0.1),
    "vitreous": Tissue(8, 0.16, 0.4, 0.0),
    "lung": Tissue(-820, 0.08, 0.45, 0.25),
    "blood": Tissue(45, 0.3, 1.6, 0.02),
    "myocardium": Tissue(50, 0.42, 6.5),
    "liver": Tissue(62, 0.55, 2.3, 0.06),
    "spleen": Tissue(52, 0.42, 1.9, 0.05),
    "kidney": Tissue(38, 0.45, 4.5, 0.1),
    "stomach": Tissue(25, 0.4, 1.2, 0.1),
    "nodule": Tissue(45, 0.5, 9.5, 0.05),
}
NAMES = tuple(TISSUES)


@dataclass(frozen=True, slots=True)
class Part:
    """An ellipsoid of one tissue; `wobble` bends its border by that share of its size; `where` narrows it."""

    tissue: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    wobble: float = 0.02
    tilt_deg: float = 0.0
    where: Callable[[Points], NDArray[np.bool_]] | None = None

    def holds(self, points: Points, noise: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the points (…, 3) lie inside."""
        x, y, z = np.moveaxis(points - np.asarray(self.centre), -1, 0)
        if self.tilt_deg:
            turn = np.radians(self.tilt_deg)
            y, z = np.cos(turn) * y - np.sin(turn) * z, np.sin(turn) * y + np.cos(turn) * z
        a, b, c = self.radii
        inside: NDArray[np.bool_] = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) <= 1 + self.wobble * noise
        return inside if self.where is None else inside & self.where(points)


def _both_sides(
    tissue: str, centre: tuple[float, float, float], radii: tuple[float, float, float], wobble: float = 0.02
) -> tuple[Part, Part]:
    x, y, z = centre
    return Part(tissue, (x, y, z), radii, wobble), Part(tissue, (-x, y, z), radii, wobble)


def _below(limit: float) -> Callable[[Points], NDArray[np.bool_]]:
    return lambda points: points[..., 2] < limit


def _rib_gaps(points: Points) -> NDArray[np.bool_]:
    """Ribs run down from back to front: bands of 11 mm every 26 mm."""
    return np.mod(points[..., 2] + 0.45 * points[..., 1], 26.0) < 11.0


HEAD: tuple[Part, ...] = (
    Part("skin", (0, 22, -125), (56, 60, 110), 0.03),
    Part("muscle", (0, 24, -125), (51, 55, 110), 0.03),
    Part("skin", (0, -40, -60), (66, 60, 64), 0.03),
    Part("fat", (0, -40, -60), (63, 57, 61), 0.04),
    Part("muscle", (0, -37, -60), (57, 51, 57), 0.06),
    Part("skin", (0, 2, 8), (79, 99, 101)),
    Part("fat", (0, 2, 8), (77, 97, 99)),
    Part("skin", (0, -90, -46), (12, 27, 20), 0.04),
    *_both_sides("skin", (80, 14, -28), (6, 15, 27), wobble=0.08),
    Part("cortical bone", (0, 2, 10), (73.5, 93, 93)),
    Part("marrow", (0, 2, 10), (71, 90.5, 90.5)),
    Part("cortical bone", (0, 2, 10), (69, 88, 88)),
    Part("cerebrospinal fluid", (0, 2, 10), (66, 85, 85), 0.01),
    Part("grey matter", (0, 2, 10), (64, 83, 83), 0.02, where=lambda p: p[..., 2] > -32),
    Part("cortical bone", (0, 8, -42), (64, 74, 10), 0.12),
    *_both_sides("cortical bone", (48, 14, -36), (22, 20, 15), wobble=0.15),
    *_both_sides("air", (58, 24, -42), (8, 12, 14), wobble=0.3),
    Part("cerebrospinal fluid", (0, 50, -40), (52, 36, 30), 0.03),
    Part("grey matter", (0, 51, -40), (49, 33, 27), 0.06),
    Part("white matter", (0, 48, -40), (34, 19, 15), 0.25),
    Part("cerebrospinal fluid", (0, 24, -58), (17, 17, 46), 0.03),
    Part("white matter", (0, 22, -48), (13, 13, 44), 0.04),
    *_both_sides("fat", (33, -66, -18), (18, 21, 17), wobble=0.05),
    *_both_sides("vitreous", (33, -73, -18), (12.5, 12.5, 12.5), wobble=0.0),
    Part("cortical bone", (0, -62, -46), (40, 28, 24), 0.1),
    Part("muscle", (0, -62, -46), (36, 25, 21), 0.1),
    *_both_sides("air", (25, -64, -46), (12, 16, 15), wobble=0.12),
    Part("air", (8, -78, -46), (4, 24, 18), 0.15),
    Part("air", (-8, -78, -46), (4, 24, 18), 0.15),
    Part("air", (0, -90, 22), (16, 5, 9), 0.25),
    Part("cortical bone", (0, -52, -84), (46, 44, 22), 0.04, where=lambda p: p[..., 1] < -30),
    Part("muscle", (0, -48, -82), (37, 36, 22), 0.06),
    Part("air", (0, -24, -90), (10, 8, 40), 0.2),
    Part("cortical bone", (0, 44, -135), (20, 18, 66), 0.06, where=_below(-78)),
    Part("marrow", (0, 40, -135), (14, 11, 64), 0.06, where=_below(-80)),
    Part("cerebrospinal fluid", (0, 57, -128), (9, 8, 66), 0.02),
    Part("white matter", (0, 57, -128), (6, 5, 66), 0.02),
    Part("oedema", (34, -22, 28), (19, 22, 18), 0.15),
    Part("tumour", (35, -23, 28), (10, 11, 10), 0.2),
)

CHEST: tuple[Part, ...] = (
    Part("skin", (0, 0, 0), (182, 121, 420), 0.02),
    Part("fat", (0, 0, 0), (179, 118, 420), 0.02),
    Part("muscle", (0, 4, 0), (163, 101, 420), 0.03),
    Part("cortical bone", (0, 2, 40), (146, 92, 190), 0.0, where=_rib_gaps),
    Part("muscle", (0, 2, 40), (139, 85, 186), 0.0),
    Part("fat", (0, 10, -20), (120, 70, 260), 0.05),
    Part("muscle", (0, 62, 0), (70, 34, 420), 0.05),
    *_both_sides("lung", (72, 4, 60), (60, 76, 128), wobble=0.03),
    Part("fat", (0, -22, 70), (36, 44, 110), 0.08),
    Part("liver", (-66, -6, -62), (74, 74, 56), 0.05),
    Part("liver", (6, -34, -52), (54, 40, 34), 0.08),
    Part("spleen", (100, 38, -72), (26, 42, 44), 0.06),
    Part("stomach", (60, -30, -74), (40, 40, 42), 0.06),
    Part("air", (60, -52, -66), (24, 14, 26), 0.1),
    *_both_sides("kidney", (62, 52, -140), (27, 26, 52), wobble=0.04),
    Part("myocardium", (32, -32, 2), (50, 44, 44), 0.04, tilt_deg=20),
    Part("blood", (36, -34, 2), (34, 29, 30), 0.05, tilt_deg=20),
    Part("blood", (4, -22, 62), (21, 22, 56), 0.05),
    Part("blood", (16, 36, 0), (12, 12, 260), 0.04),
    Part("air", (0, 6, 118), (9, 9, 66), 0.04),
    Part("cortical bone", (0, 62, 0), (23, 21, 420), 0.06),
    Part("marrow", (0, 58, 0), (19, 15, 420), 0.06),
    Part("cerebrospinal fluid", (0, 79, 0), (8, 7, 420), 0.02),
    Part("cortical bone", (0, -88, 60), (18, 8, 90), 0.04),
    Part("marrow", (0, -88, 60), (14, 5, 88), 0.04),
    Part("nodule", (84, 12, 66), (13, 12, 14), 0.15),
    Part("nodule", (-24, 8, 76), (10, 9, 11), 0.15),
    Part("nodule", (-86, 18, -54), (11, 11, 11), 0.12),
)

BODY_PARTS: dict[str, Sequence[Part]] = {"HEAD": HEAD, "CHEST": CHEST}


def tissues_at(body_part: str, points: Points) -> Labels:
    """(…) index into `NAMES` of the tissue at each point (…, 3)."""
    wobble = noise_at(points, scale_mm=28.0, seed=1)
    labels = np.zeros(points.shape[:-1], dtype=np.uint8)
    for part in BODY_PARTS[body_part]:
        labels[part.holds(points, wobble)] = NAMES.index(part.tissue)
    if body_part == "HEAD":
        _fold_cortex(labels, points)
    return labels


def _fold_cortex(labels: Labels, points: Points) -> None:
    """White matter inside of a folded cortex, sulci filled with fluid, ventricles in the middle."""
    depth = np.sqrt((points[..., 0] / 64) ** 2 + ((points[..., 1] - 2) / 83) ** 2 + ((points[..., 2] - 10) / 83) ** 2)
    folds, wobble = noise_at(points, scale_mm=7.5, seed=2), noise_at(points, scale_mm=28.0, seed=3)
    cerebrum = labels == NAMES.index("grey matter")
    cerebrum &= points[..., 2] > -34
    labels[cerebrum & (depth < 0.80 + 0.13 * folds)] = NAMES.index("white matter")
    labels[cerebrum & (depth > 0.74 + 0.05 * wobble) & (folds < -1.05)] = NAMES.index("cerebrospinal fluid")
    labels[cerebrum & (np.abs(points[..., 0]) < 1.6) & (depth > 0.55)] = NAMES.index("cerebrospinal fluid")
    deep = (
        *_both_sides("grey matter", (17, 2, 4), (9, 16, 11), wobble=0.1),
        *_both_sides("grey matter", (27, -8, 6), (6, 18, 12), wobble=0.1),
        *_both_sides("cerebrospinal fluid", (12, -6, 20), (6, 30, 9), wobble=0.15),
        *_both_sides("cerebrospinal fluid", (20, 30, 12), (7, 20, 12), wobble=0.2),
        Part("cerebrospinal fluid", (0, 4, 2), (2.5, 14, 10)),
    )
    for part in deep:
        labels[part.holds(points, wobble) & cerebrum] = NAMES.index(part.tissue)


def noise_at(points: Points, scale_mm: float, seed: int) -> NDArray[np.float64]:
    """Smooth noise of unit variance with features of about `scale_mm`, the same at the same point every time."""
    field, cell = _noise_field(seed), scale_mm / 2.5
    places = np.moveaxis(points / cell, -1, 0)
    noise: NDArray[np.float64] = ndimage.map_coordinates(field, places, order=1, mode="grid-wrap")
    return noise


@cache
def _noise_field(seed: int) -> NDArray[np.float64]:
    white = np.random.default_rng(seed).standard_normal((64, 64, 64))
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(white, 1.0, mode="wrap")
    smooth /= smooth.std()
    return smooth
