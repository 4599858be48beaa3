"""The registered series keeps its quantity, from the scanner's files to ours, as another program reads them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch

import fusion
from dicomnode.benchmark.contours import inside_shares, read_contours
from dicomnode.load import load_series
from fusion import Unit, Volume
from fusion.geometry.transform import AffineTransform
from fusion.types import Points
from fusion.volume import Grid
from tests.fixtures.tumour_contours import uptake
from tests.fixtures.volumes import sitk_image, sitk_reference
from tests.fixtures.written_quantities import (
    PATIENTS,
    TUMOURS,
    Quantities,
    finer,
    fuse_folders,
    read_quantities,
    write_ct,
)

pytestmark = [
    pytest.mark.data,
    pytest.mark.filterwarnings("ignore:The value length:UserWarning"),  # the archive's own Study ID
]

SAME_PLACE_MM = 0.05
"""Slice positions in these headers are rounded to a hundredth of a millimetre."""

MEAN_KEPT = 0.01
"""Measured +0.1, +0.5 and +0.2 %; linear interpolation blurs across the border of the tumour: -0.3, -1.0 and -1.1 %."""


@cache
def source(data: Path, patient: str, modality: str) -> Quantities:
    return read_quantities(data / TUMOURS / patient / modality / "image")


@pytest.fixture(scope="module", params=PATIENTS)
def patient(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def on_ct(patient: str, reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantities:
    """The PET on its own CT, by `dicomnode fuse`."""
    images = reference_data / TUMOURS / patient
    report, folder = fuse_folders(images / "CT" / "image", images / "PET" / "image", tmp_path_factory.mktemp("on_ct"))
    assert report["registrar"] == "identity", "CT and PET of one examination share their coordinates"
    return read_quantities(folder)


def test_a_voxel_that_is_sampled_exactly_is_off_by_at_most_half_a_step(
    patient: str, reference_data: Path, tmp_path: Path
) -> None:
    """A CT on which every PET voxel has a voxel of its own, with others between them."""
    pet, ct = (source(reference_data, patient, name) for name in ("PET", "CT"))
    loaded = load_series(sorted((reference_data / TUMOURS / patient / "PET" / "image").glob("*.dcm")))
    grid = finer(loaded.volume.grid, (2, 3, 3))
    anatomy = Volume(torch.from_numpy(ct.values.astype(np.float32)), ct.grid, Unit.HU, "CT")
    on_grid = fusion.resample(anatomy, AffineTransform.identity(), grid).voxels.numpy().astype(np.float64)
    fixed = write_ct(tmp_path / "ct", ct.headers[0], on_grid, grid)

    moving = reference_data / TUMOURS / patient / "PET" / "image"
    _, folder = fuse_folders(fixed, moving, tmp_path / "fused", registrar="identity")
    written = read_quantities(folder)
    assert written.grid.same_geometry(grid, SAME_PLACE_MM)
    assert len(set(written.slopes)) == 1
    assert written.values.max() <= pet.values.max() + written.slopes[0]
    exact = written.values[::2, ::3, ::3]
    assert np.abs(exact - pet.values).max() <= written.slopes[0] / 2 * (1 + 1e-3)
    between = written.values[1::2, 1::3, 1::3]
    assert np.std(between) > 100 * written.slopes[0], "what lies between is interpolated, not left out"


def test_uptake_over_the_tumour_is_kept(patient: str, reference_data: Path, on_ct: Quantities) -> None:
    contours = read_contours(reference_data / TUMOURS / patient / "PET" / "mask" / "RS.dcm")
    pet = source(reference_data, patient, "PET")
    before, after = uptake(pet.values, pet.grid, contours), uptake(on_ct.values, on_ct.grid, contours)
    assert after.volume_ml == pytest.approx(before.volume_ml, rel=0.005), "both see the same tumour"
    assert after.mean == pytest.approx(before.mean, rel=MEAN_KEPT)
    assert 0.96 * before.maximum < after.maximum <= before.maximum + on_ct.slopes[0] / 2
    assert after.half_maximum_ml == pytest.approx(before.half_maximum_ml, rel=0.05)


def test_no_suv_is_made_twice(patient: str, reference_data: Path, on_ct: Quantities) -> None:
    """The headers still hold dose and weight, by which a reader who overlooks the units would convert again."""
    pet = source(reference_data, patient, "PET")
    assert {str(header.Units) for header in on_ct.headers} == {"GML"}
    assert all(header.RadiopharmaceuticalInformationSequence for header in on_ct.headers)
    assert on_ct.values.min() >= 0
    assert 0.9 * pet.values.max() < on_ct.values.max() <= pet.values.max() + on_ct.slopes[0] / 2
    assert 1 < on_ct.values.max() < 50, "the range of SUV"


def test_what_was_written_is_read_as_suv_and_not_converted(patient: str, on_ct: Quantities) -> None:
    files = [Path(str(header.filename)) for header in on_ct.headers]
    volume = load_series(files).volume
    assert volume.unit is Unit.SUV_BW
    np.testing.assert_allclose(volume.voxels.numpy(), on_ct.values, rtol=1e-6, atol=1e-6)


NOISE_HU = 40.0


def test_a_fine_image_on_a_coarse_grid_is_averaged_not_picked(reference_data: Path, tmp_path: Path) -> None:
    """White noise added to a CT, registered onto a PET: what comes out of it says how many voxels were averaged."""
    ct, pet = (source(reference_data, "STS_001", name) for name in ("CT", "PET"))
    noise = np.random.default_rng(0).normal(0, NOISE_HU, ct.values.shape)
    calm = np.clip(ct.values, -800, 1200)  # so that no noise is clipped
    images: dict[str, Any] = {}
    for name, values in (("calm", calm), ("noisy", calm + noise)):
        moving = write_ct(tmp_path / name, ct.headers[0], values, ct.grid)
        fixed = reference_data / TUMOURS / "STS_001" / "PET" / "image"
        _, folder = fuse_folders(fixed, moving, tmp_path / f"{name}_fused", registrar="identity")
        images[name] = read_quantities(folder)
        images[f"{name}_point"] = point_sampled(values, ct, pet)
        images[f"{name}_box"] = box_averaged(values, ct, pet)
    inner = np.s_[2:-2, 6:-6, 6:-6]

    def noise_left(kind: str) -> float:
        noisy, quiet = (getattr(images[f"{n}{kind}"], "values", images[f"{n}{kind}"]) for n in ("noisy", "calm"))
        return float(np.var((noisy - quiet)[inner]) / NOISE_HU**2)

    ours, picked, boxed = noise_left(""), noise_left("_point"), noise_left("_box")
    assert picked > 0.2, "the oracle aliases"
    assert boxed < 0.06
    assert ours < 1.5 * boxed
    # What is anatomy stays: far closer to the box than noise is large.
    difference = (images["calm"].values - images["calm_box"])[inner]
    assert abs(float(difference.mean())) < 2
    assert float(np.median(np.abs(difference))) < 5


def point_sampled(values: Any, ct: Quantities, pet: Quantities) -> Any:
    """Each coarse voxel takes what lies at its centre: SimpleITK, linear."""
    image = sitk_image(Volume(torch.from_numpy(values.astype(np.float32)), ct.grid, Unit.HU, "CT"))
    linear = SimpleITK.Resample(
        image, sitk_reference(pet.grid), SimpleITK.Transform(), SimpleITK.sitkLinear, -1024.0, SimpleITK.sitkFloat32
    )
    return SimpleITK.GetArrayFromImage(linear)


def box_averaged(values: Any, ct: Quantities, pet: Quantities) -> Any:
    """Each coarse voxel takes the mean of the fine ones in its box: nearest on a 6 times finer grid."""
    factor = 6
    fine = finer(pet.grid, (1, factor, factor))
    shape = (pet.grid.shape[0], pet.grid.shape[1] * factor, pet.grid.shape[2] * factor)
    affine = fine.affine.copy()
    affine[:3, 3] -= fine.affine[:3, 1:3].sum(axis=1) * (factor - 1) / 2
    over = Grid(shape, affine)
    image = sitk_image(Volume(torch.from_numpy(values.astype(np.float32)), ct.grid, Unit.HU, "CT"))
    nearest = SimpleITK.Resample(
        image,
        sitk_reference(over),
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
        -1024.0,
        SimpleITK.sitkFloat32,
    )
    array = SimpleITK.GetArrayFromImage(nearest)
    return array.reshape(shape[0], pet.grid.shape[1], factor, pet.grid.shape[2], factor).mean(axis=(2, 4))


def test_shares_of_voxels_are_the_area_of_the_polygons(reference_data: Path) -> None:
    contours = read_contours(reference_data / TUMOURS / "STS_001" / "PET" / "mask" / "RS.dcm")
    pet = source(reference_data, "STS_001", "PET")
    places = [round(float(contour[0, 2]), 1) for contour in contours]
    alone = [contour for contour, place in zip(contours, places, strict=True) if places.count(place) == 1]
    area_mm2 = sum(polygon_area_mm2(contour) for contour in alone)
    voxel_mm2 = pet.grid.spacing_mm[1] * pet.grid.spacing_mm[2]
    assert inside_shares(alone, pet.grid).sum() * voxel_mm2 == pytest.approx(area_mm2, rel=0.005)
    outer = alone[len(alone) // 2]
    inner = outer.mean(axis=0) + (outer - outer.mean(axis=0)) / 2
    whole, with_hole = (inside_shares(each, pet.grid).sum() for each in ((outer,), (outer, inner)))
    assert with_hole == pytest.approx(0.75 * whole, rel=0.02)


def polygon_area_mm2(contour: Points) -> float:
    """The shoelace formula, for a contour in an axial plane."""
    x, y = contour[:, 0], contour[:, 1]
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
