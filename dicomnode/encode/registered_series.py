"""The moving series on the fixed grid, in its own IOD and with its own quantity.

This is the result that every viewer can lay over the fixed series, and the only one that keeps numbers: window and
slope are chosen once for the series, so that no slice has a step of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
)

from fusion.display import Window, window_of
from fusion.volume import Volume

from ..errors import EncodeError
from .ct_image import add_ct_image, ct_values
from .derived_series import SeriesIdentity, begin, finish, identify
from .elements import copy_elements
from .geometry import add_frame_of_reference, add_plane, require_orthogonal
from .grey_pixels import add_grey_pixels, add_window
from .inputs import EncodedSeries, EncodeInputs
from .mr_image import add_mr_image, mr_values
from .nm_image import nm_instance
from .pet_image import add_pet_image, pet_values
from .provenance import MEASURE_ON_ORIGINAL, SPATIAL_RESAMPLING, add_derivation, reference
from .research import add_research_flags
from .sources import fixed_sources, moving_sources
from .stored_values import StoredValues

KIND = "registered_series"
SERIES_OFFSET = 1


@dataclass(frozen=True, slots=True)
class OwnIod:
    """How one modality is written: its SOP class, its integers, and its own modules."""

    sop_class_uid: str
    values: Callable[[EncodeInputs], StoredValues]
    add_image: Callable[[Dataset, EncodeInputs, StoredValues, int], None]


SINGLE_FRAME: Mapping[str, OwnIod] = {
    "CT": OwnIod(CTImageStorage, ct_values, add_ct_image),
    "MR": OwnIod(MRImageStorage, mr_values, add_mr_image),
    "PT": OwnIod(PositronEmissionTomographyImageStorage, pet_values, add_pet_image),
}


def registered_series(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """The series, or none when the moving series already lies on the fixed grid: it then is its own result.

    Raises `EncodeError` for a modality that has no IOD here, and for a sheared fixed grid.
    """
    if is_already_there(inputs):
        return ()
    require_orthogonal(inputs.fixed.grid)
    modality = inputs.moving.volume.modality
    what = f"{modality} registered to {inputs.fixed.modality}"
    if modality == "NM":
        identity = identify(inputs, KIND, SERIES_OFFSET, modality, NuclearMedicineImageStorage, what)
        return (finish(identity, [nm_instance(inputs, identity)]),)
    own = SINGLE_FRAME.get(modality)
    if own is None:
        raise EncodeError(f"a registered series is written for CT, MR, PT and NM, not for {modality!r}")
    identity = identify(inputs, KIND, SERIES_OFFSET, modality, own.sop_class_uid, what)
    return (finish(identity, _instances(inputs, identity, own)),)


def is_already_there(inputs: EncodeInputs) -> bool:
    """Whether grid and Frame of Reference are equal and nothing was moved."""
    fixed, moving = inputs.fixed.grid, inputs.moving.volume.grid
    return (
        fixed.frame_of_reference_uid is not None
        and fixed.frame_of_reference_uid == moving.frame_of_reference_uid
        and fixed.same_geometry(moving)
        and inputs.moving.registration.transform.is_rigid
        and bool(np.allclose(inputs.moving.registration.transform.matrix, np.eye(4), rtol=0, atol=1e-9))
    )


def _instances(inputs: EncodeInputs, identity: SeriesIdentity, own: OwnIod) -> list[Dataset]:
    moved: Volume = inputs.moving.moved
    values, window = own.values(inputs), window_of(inputs.moving.volume)
    instances = []
    sources = zip(fixed_sources(inputs), moving_sources(inputs), strict=True)
    for index, (fixed, moving) in enumerate(sources):
        dataset = begin(inputs, identity, index)
        copy_elements(inputs.fixed_headers[0], dataset, ("PatientPosition",))
        add_frame_of_reference(dataset, inputs)
        add_plane(dataset, moved.grid, index)
        valid = None if moved.valid is None else moved.valid[index]
        add_grey_pixels(
            dataset, values.of(_dark_outside(moved, index, window), valid), values, inverted=window.inverted
        )
        add_window(dataset, window)
        own.add_image(dataset, inputs, values, index)
        dataset.ImageComments = MEASURE_ON_ORIGINAL
        add_derivation(dataset, inputs, (SPATIAL_RESAMPLING,), moving=moving)
        dataset.ReferencedImageSequence = [reference(header) for header in fixed]
        add_research_flags(dataset, inputs)
        instances.append(dataset)
    return instances


def _dark_outside(moved: Volume, index: int, window: Window) -> torch.Tensor:
    """Slice `index`; where large values are dark, unmeasured voxels are at that end: zero would be glaring there."""
    if not window.inverted or moved.valid is None:
        return moved.voxels[index]
    return torch.where(moved.valid[index], moved.voxels[index], window.black)
