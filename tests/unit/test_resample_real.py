"""Real series resampled, with SimpleITK as the oracle."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own name in every manual)
import torch

from fusion import resample
from fusion.geometry.transform import AffineTransform
from tests.fixtures.sitk_volumes import read_volume
from tests.fixtures.volumes import sitk_image, sitk_reference, sitk_transform

pytestmark = pytest.mark.data


@pytest.mark.parametrize("moved", ["identity", "rigid"])
@pytest.mark.parametrize(("folder", "modality"), [("PET", "PT"), ("MR_T1", "MR")])
def test_a_series_on_the_grid_of_another_is_simpleitks(
    reference_data: Path, folder: str, modality: str, moved: str
) -> None:
    patient = reference_data / "petctmr_sarcoma" / "STS_001"
    fixed = read_volume(patient / "CT" / "image", "CT")
    moving = read_volume(patient / folder / "image", modality)
    transform = AffineTransform.identity()
    if moved == "rigid":
        transform = AffineTransform.rigid((0.05, -0.1, 0.2), (4.0, -7.0, 3.0), fixed.grid.centre_mm.tolist())
    ours = resample(moving, transform, fixed.grid, interpolation="linear", antialias=False, outside=-1.0)
    theirs = sitk.GetArrayFromImage(
        sitk.Resample(sitk_image(moving), sitk_reference(fixed.grid), sitk_transform(transform), sitk.sitkLinear, -1.0)
    )
    assert ours.valid is not None
    inside = theirs != -1.0
    # Slices of this patient lie exactly on each other's borders here and there, where rounding decides.
    assert (ours.valid.numpy() != inside).mean() < 1e-3
    both = ours.valid.numpy() & inside
    assert both.mean() > 0.3
    assert np.abs(ours.voxels.numpy() - theirs)[both].max() <= 1e-5 * np.ptp(moving.voxels.numpy())


def test_a_coarse_series_keeps_its_values_where_it_is_hit_exactly(reference_data: Path) -> None:
    pet = read_volume(reference_data / "petctmr_sarcoma" / "STS_002" / "PET" / "image", "PT")
    # Every third voxel of a three times finer grid lies on a voxel of the source.
    shape = tuple(3 * n - 2 for n in pet.grid.shape)
    fine = type(pet.grid)((shape[0], shape[1], shape[2]), pet.grid.affine @ np.diag([1 / 3, 1 / 3, 1 / 3, 1.0]))
    assert torch.equal(resample(pet, AffineTransform.identity(), fine).voxels[::3, ::3, ::3], pet.voxels)
