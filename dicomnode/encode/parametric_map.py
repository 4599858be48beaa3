"""Numbers on the fixed grid as a float32 Parametric Map (PS3.3 A.75): the moving quantity, or a map of the node's own.

The fixed series is named as the source, because viewers lay the map over the series that it names; where the
quantity came from is in the equipment chain, the derivation and the list of instances.
"""

import math
from dataclasses import dataclass

import numpy as np
from highdicom import ContentQualificationValues, VOILUTTransformation
from highdicom.content import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ParametricMapStorage

from fusion.display import Window, window_of
from fusion.volume import Unit, Volume

from ..errors import EncodeError
from .derived_series import SeriesIdentity, begin, finish, identify, instance_uid
from .elements import copy_elements, put
from .geometry import add_frame_of_reference, add_plane, orientation, pixel_spacing, require_orthogonal, slice_position
from .inputs import EncodedSeries, EncodeInputs
from .provenance import MEASURE_ON_ORIGINAL, add_common_instances, add_equipment_chain, add_lossy_history
from .real_world_values import UNIT_MEANINGS
from .sources import fixed_sources
from .uids import derived_uid

KIND = "parametric_map"
SERIES_OFFSET = 6
LABELS = {
    Unit.HU: ("HU", None),
    Unit.SUV_BW: ("SUVBW", Code("126401", "DCM", "SUVbw")),
    Unit.SUV_LBM: ("SUVLBM", Code("126402", "DCM", "SUVlbm")),
    Unit.SUV_BSA: ("SUVBSA", Code("126403", "DCM", "SUVbsa")),
    Unit.SUV_IBW: ("SUVIBW", Code("126404", "DCM", "SUVibw")),
    Unit.BQ_ML: ("BQML", None),
    Unit.COUNTS: ("COUNTS", None),
    Unit.PROPORTIONAL_COUNTS: ("PROPCOUNTS", None),
    Unit.ARBITRARY: ("VALUE", None),
}
"""Content Label, and the quantity's own code (CID 85) where it has one."""
UNMEASURED = math.nan
"""Zero would be a quantity. Who does not know the padding value (PS3.3 C.7.6.24) cannot take this one for a number."""
HEADS = frozenset({"HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK"})


@dataclass(frozen=True, slots=True, eq=False)
class MapContent:
    """What a map holds and how it is called; `volume` lies on the fixed grid, `unit` is a UCUM code and its meaning."""

    kind: str
    series_offset: int
    volume: Volume
    what: str
    label: str
    explanation: str
    unit: tuple[str, str]
    quantity: Code | None
    comment: str
    window: Window


def parametric_map(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One float32 object. Raises `EncodeError` for a sheared fixed grid or sources that no map can name."""
    moved = inputs.moving.moved
    label, quantity = LABELS[moved.unit]
    content = MapContent(
        KIND,
        SERIES_OFFSET,
        moved,
        f"{inputs.moving.volume.modality} {label} on {inputs.fixed.modality}",
        label,
        UNIT_MEANINGS[moved.unit],
        (moved.unit.value, UNIT_MEANINGS[moved.unit]),
        quantity,
        MEASURE_ON_ORIGINAL,
        window_of(inputs.moving.volume),
    )
    return (map_series(inputs, content),)


def map_series(inputs: EncodeInputs, content: MapContent) -> EncodedSeries:
    """A series of one map. Raises `EncodeError` for a sheared fixed grid or sources that no map can name."""
    require_orthogonal(inputs.fixed.grid)
    identity = identify(inputs, content.kind, content.series_offset, "OT", ParametricMapStorage, content.what)
    return finish(identity, [map_instance(inputs, identity, content)])


def map_instance(inputs: EncodeInputs, identity: SeriesIdentity, content: MapContent, index: int = 0) -> Dataset:
    """The map `index` of a series. Raises `EncodeError` for sources that no map can name."""
    dataset = begin(inputs, identity, index)
    add_frame_of_reference(dataset, inputs)
    try:
        document = _document(inputs, identity, content)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Without the library's words: they quote the headers.
        raise EncodeError("the fixed series cannot be the source of a parametric map") from error
    for keyword in ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence"):
        if keyword in document:
            del document[keyword]
    # highdicom draws one by chance
    organisation = derived_uid(inputs, content.kind, "dimensions", *((index,) if index else ()))
    for item in (*document.DimensionOrganizationSequence, *document.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    for element in document:
        if element.tag not in dataset:
            put(dataset, element)
    if content.volume.valid is not None:
        dataset.FloatPixelPaddingValue = UNMEASURED
        dataset.FloatPixelPaddingRangeLimit = UNMEASURED  # a range of one value, for validators that ask for both
    dataset.ImageComments = content.comment
    add_common_instances(dataset, (*inputs.fixed_headers, *inputs.moving.headers))
    add_lossy_history(dataset, inputs)
    add_equipment_chain(dataset, inputs)
    return dataset


def _document(inputs: EncodeInputs, identity: SeriesIdentity, content: MapContent) -> Dataset:
    grid, equipment, window = content.volume.grid, inputs.equipment, content.window
    voxels, lowest, highest = _quantities(content.volume)
    mapping = RealWorldValueMapping(
        lut_label=content.label,
        lut_explanation=content.explanation,
        unit=CodedConcept(content.unit[0], "UCUM", content.unit[1]),
        value_range=(lowest, highest),
        slope=1.0,
        intercept=0.0,
        quantity_definition=content.quantity,
    )
    planes = [PlanePositionSequence("PATIENT", slice_position(grid, index)) for index in range(grid.shape[0])]
    document: Dataset = ParametricMap(
        source_images=_sources(inputs, identity),
        pixel_array=voxels,
        series_instance_uid=identity.series_instance_uid,
        series_number=identity.number,
        sop_instance_uid=instance_uid(inputs, identity),
        instance_number=1,
        manufacturer=equipment.manufacturer,
        manufacturer_model_name=equipment.model_name,
        software_versions=equipment.software_versions,
        device_serial_number=equipment.device_serial_number,
        contains_recognizable_visual_features=_shows_a_face(inputs),
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[VOILUTTransformation((window.lower + window.upper) / 2, window.upper - window.lower)],
        pixel_measures=PixelMeasuresSequence(pixel_spacing(grid), grid.spacing_mm[0], grid.spacing_mm[0]),
        plane_orientation=PlaneOrientationSequence("PATIENT", orientation(grid)),
        plane_positions=planes,
        content_label=content.label,
        content_description=content.comment,
        content_qualification=ContentQualificationValues.RESEARCH,
    )
    return document


def _quantities(moved: Volume) -> tuple[NDArray[np.float32], float, float]:
    """The voxels, with `UNMEASURED` where there is no quantity, and the lowest and highest that was measured."""
    voxels = np.ascontiguousarray(moved.voxels.numpy())
    if moved.valid is None:
        return voxels, float(voxels.min()), float(voxels.max())
    valid = moved.valid.numpy()
    measured = voxels[valid] if valid.any() else np.zeros(1, dtype=np.float32)
    return np.where(valid, voxels, np.float32(UNMEASURED)), float(measured.min()), float(measured.max())


def _sources(inputs: EncodeInputs, identity: SeriesIdentity) -> list[Dataset]:
    """For each slice of the map the fixed instance behind it, in its place on the grid.

    The loader may have resampled the fixed series, and a multi-frame one has no slices of its own: highdicom would
    read the wrong planes from the headers themselves.
    """
    grid = inputs.fixed.grid
    stand_ins = []
    for index, (header,) in enumerate(fixed_sources(inputs)):
        stand_in = begin(inputs, identity, index)
        stand_in.PatientName = None  # written by `begin`; highdicom warns of names in forms that it does not like
        add_frame_of_reference(stand_in, inputs)
        add_plane(stand_in, grid, index)
        copy_elements(header, stand_in, ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality"))
        stand_in.Rows, stand_in.Columns = grid.shape[1:]
        stand_ins.append(stand_in)
    return stand_ins


def _shows_a_face(inputs: EncodeInputs) -> bool:
    parts = {str(header.get("BodyPartExamined", "")) for header in (inputs.fixed_headers[0], inputs.moving.headers[0])}
    return bool(parts & HEADS)
