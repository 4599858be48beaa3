"""The pictures of the demonstration: the burned-in label stays on the slices and leaves the reformats."""

import numpy as np

from dicomnode.demo.previews import TILE, fused_sheet
from dicomnode.encode import encode
from tests.fixtures.derived_case import FRAMES, build_case, grid


def sheet(label: bool) -> np.ndarray:
    case = build_case(
        outputs=("fused_colour",),
        output_parameters={"label_pixels": label},
        fixed_grid=grid((12, 256, 256), (14.0, 0.8, 0.8), FRAMES["fixed"]),
    )
    (series,) = encode(case)
    return np.asarray(fused_sheet(series.instances)).astype(int)


def test_no_plank_of_the_colour_bar_in_the_reformats() -> None:
    labelled, plain = sheet(True), sheet(False)
    slices, reformats = np.s_[: 2 * TILE, :TILE], np.s_[TILE:, TILE:]
    assert (labelled[slices] > plain[slices] + 60).any(), "the slices keep their label"
    assert (labelled[reformats] <= plain[reformats] + 8).all(), "the reformats show nothing of it"
    assert plain[reformats].max() > 100
    lost = (labelled[reformats] < plain[reformats] - 8).any(axis=-1)
    assert lost.mean() < 0.1
