"""Which source slices a derived slice names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomnode.encode.sources import fixed_sources, moving_sources
from fusion.geometry.transform import AffineTransform
from tests.fixtures.derived_case import FRAMES, build_case, grid

angles = st.floats(-0.4, 0.4)
shifts = st.floats(-25, 25)


@settings(max_examples=8, deadline=None)
@given(st.tuples(angles, angles, angles), st.tuples(shifts, shifts, shifts))
def test_the_slices_that_interpolation_reads_are_named(
    turn: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    """Every voxel of the slice is followed; what lies around its height must be named, and little more."""
    inputs = build_case("PT", transform=AffineTransform.rigid(turn, shift), outputs=())
    onto, theirs = inputs.fixed.grid, inputs.moving.volume.grid
    named = moving_sources(inputs)
    uids = [str(header.SOPInstanceUID) for header in inputs.moving.headers]
    for index in range(0, onto.shape[0], 3):
        rows, columns = np.meshgrid(np.arange(onto.shape[1]), np.arange(onto.shape[2]), indexing="ij")
        voxels = np.stack([np.full_like(rows, index), rows, columns], axis=-1).reshape(-1, 3).astype(np.float64)
        found = theirs.indices(inputs.moving.registration.transform(onto.points(voxels)))
        found = found[np.all((found >= 0) & (found <= np.array(theirs.shape) - 1), axis=1)][:, 0]
        needed = {uids[int(np.floor(h))] for h in found} | {uids[int(np.ceil(h))] for h in found}
        got = {str(header.SOPInstanceUID) for header in named[index]}
        missing = needed - got
        assert len(missing) <= 1  # the lattice is coarser than the voxels by a sixteenth of the slice
        assert len(got) <= len(needed) + 6


def test_outside_of_the_moving_image_nothing_is_named() -> None:
    inputs = build_case("PT", moving_grid=grid((5, 32, 32), (10, 6, 6), FRAMES["moving"]), outputs=())
    named = moving_sources(inputs)
    assert named[0] == ()
    assert named[6] != ()


def test_the_nearest_fixed_slice_is_named_also_when_the_grid_was_resampled() -> None:
    inputs = build_case("PT", outputs=())
    headers = [str(header.SOPInstanceUID) for header in inputs.fixed_headers]
    assert [str(header.SOPInstanceUID) for (header,) in fixed_sources(inputs)] == headers
    finer = grid((24, 48, 44), (6.0, 3.8, 3.6), FRAMES["fixed"])
    resampled = build_case("PT", fixed_grid=finer, outputs=())
    object.__setattr__(resampled, "fixed_headers", inputs.fixed_headers)
    named = [str(header.SOPInstanceUID) for (header,) in fixed_sources(resampled)]
    assert [headers.index(uid) for uid in named] == pytest.approx(np.arange(24) / 2 - 0.25, abs=0.6)


def test_a_multi_frame_source_is_named_as_a_whole() -> None:
    inputs = build_case("NM", outputs=())
    assert {len(group) for group in moving_sources(inputs)} <= {0, 1}
