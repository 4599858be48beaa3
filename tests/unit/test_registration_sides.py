"""Mirrored voxels, and what an image shows that does not say so."""

from dataclasses import replace

import pytest

from fusion import Verdict, Volume, assess, register
from fusion.geometry.smoothing import smooth
from fusion.geometry.transform import AffineTransform
from fusion.registration.contour import contour_distance_mm
from fusion.registration.kinds import ImageKind, assumption, kind_of
from fusion.registration.preparation import prepare
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head
from tests.fixtures.volumes import make_grid

GRID = make_grid((44, 62, 52), (4.5, 4.0, 4.0))
CT = head(CT_HU, modality="CT", grid=GRID, noise=0.01)
MR = head(MR_T1, grid=GRID)


def mirrored(volume: Volume) -> Volume:
    """Left and right exchanged in the voxels, and the header none the wiser."""
    return replace(volume, voxels=volume.voxels.flip(2).contiguous())


def test_mirrored_voxels_are_told_and_a_mirroring_header_is_not_a_mirrored_image() -> None:
    found = register(CT, MR, "rigid", climbing=8)
    assert found.measures["mirror_ratio"] < 0.95
    assert found.measures["mirror_margin_ratio"] > 8
    wrong = mirrored(MR)
    report = assess(CT, wrong, register(CT, wrong, "rigid", climbing=8))
    assert report.verdict is Verdict.REJECT
    assert any("left and right are exchanged" in reason for reason in report.reasons)
    affine = MR.grid.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (MR.grid.shape[2] - 1)
    affine[:3, 2] *= -1
    same = replace(wrong, grid=replace(MR.grid, affine=affine))
    again = register(CT, same, "rigid", climbing=8)
    assert again.measures["mirror_ratio"] == pytest.approx(found.measures["mirror_ratio"], abs=0.03)


@pytest.mark.parametrize(
    ("volume", "kind", "assumed"),
    [
        (MR, ImageKind.ANATOMY, None),
        (replace(MR, modality="PT"), ImageKind.UPTAKE, None),
        (replace(MR, modality="OT"), ImageKind.ANATOMY, "as fine as anatomy"),
        (replace(smooth(MR, 7.0), modality="OT"), ImageKind.UPTAKE, "as blurred as uptake"),
    ],
)
def test_what_an_image_shows_is_its_modality_or_how_fine_it_is(
    volume: Volume, kind: ImageKind, assumed: str | None
) -> None:
    assert kind_of(volume, prepare(volume, (2.0,))) is kind
    note = assumption(volume, kind)
    assert note is None if assumed is None else note is not None and assumed in note


def test_outlines_are_as_far_apart_as_the_bodies_are_moved() -> None:
    one, other = prepare(CT, ()), prepare(MR, ())
    here = contour_distance_mm(one, other, AffineTransform.identity())
    there = contour_distance_mm(one, other, AffineTransform.rigid((0, 0, 0), (24.0, 0.0, 0.0)))
    assert here < 4 < 8 < there


def test_an_outline_that_nobody_sees_is_no_distance() -> None:
    one = prepare(CT, ())
    far = AffineTransform.rigid((0, 0, 0), (9000.0, 0.0, 0.0))
    assert contour_distance_mm(one, one, far) == 0.0
