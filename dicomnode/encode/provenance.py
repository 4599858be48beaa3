"""Where a derived object comes from: equipment, derivation, source images and the studies that they lie in.

PS3.3 C.7.6.1 (General Image), C.12.4 (General Reference), C.12.1.1.5 (Contributing Equipment) and C.12.2
(Common Instance Reference).
"""

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fusion.geometry.resample import usual_interpolation

from .derived_series import PURPOSE, moment_text
from .elements import code, copy_elements, decoded, millimetres, text
from .inputs import EncodeInputs

ACQUISITION_EQUIPMENT = ("109101", "DCM", "Acquisition Equipment")
PROCESSING_EQUIPMENT = ("109102", "DCM", "Processing Equipment")
SOURCE_IMAGE = ("121322", "DCM", "Source image for image processing operation")
SPATIAL_RESAMPLING = ("113085", "DCM", "Spatial resampling")
PIXEL_ADDITION = ("113042", "DCM", "Pixel by pixel addition")

MEASURE_ON_ORIGINAL = "Resampled: measure on the original series."

EQUIPMENT_KEYWORDS = (
    "Manufacturer",
    "InstitutionName",
    "StationName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)


def reference(header: Dataset) -> Dataset:
    """SOP class and instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def source_image(header: Dataset, *, moved: bool) -> Dataset:
    """A reference with its part in the derivation (CID 7202); locations of a moved source are not preserved."""
    item = reference(header)
    item.SpatialLocationsPreserved = "NO" if moved else "YES"
    item.PurposeOfReferenceCodeSequence = Sequence([code(*SOURCE_IMAGE)])
    return item


def add_derivation(
    dataset: Dataset,
    inputs: EncodeInputs,
    codes: Iterable[tuple[str, str, str]],
    *,
    fixed: Iterable[Dataset] = (),
    moving: Iterable[Dataset] = (),
) -> None:
    """Say how and from which instances the pixels of `dataset` were made."""
    fixed, moving = tuple(fixed), tuple(moving)
    dataset.DerivationDescription = derivation_text(inputs)
    steps = [code(*entry) for entry in codes]
    if steps:
        dataset.DerivationCodeSequence = Sequence(steps)
    sources = [source_image(header, moved=False) for header in fixed]
    sources += [source_image(header, moved=True) for header in moving]
    if sources:
        dataset.SourceImageSequence = Sequence(sources)
        add_common_instances(dataset, (*fixed, *moving))


def derivation_text(inputs: EncodeInputs) -> str:
    """Derivation Description (ST, 1024 characters)."""
    moving, report = inputs.moving, inputs.moving.report
    return text(
        f"{moving.volume.modality} registered to {inputs.fixed.modality} by {moving.registration.registrar} "
        f"({moving.registration.similarity_name}); verdict {report.verdict.value}; expected error "
        f"{millimetres(report.expected_error_mm)}, bound {millimetres(report.error_bound_mm)}; "
        f"{usual_interpolation(inputs.moving.volume)} resampling onto the grid of the {inputs.fixed.modality}. "
        f"{MEASURE_ON_ORIGINAL} {PURPOSE}. "
        f"Plan {inputs.plan.key[:16]}.",
        1024,
    )


def add_common_instances(dataset: Dataset, headers: Iterable[Dataset]) -> None:
    """List every instance that `dataset` refers to, those of other studies apart (PS3.3 C.12.2)."""
    studies: dict[str, dict[str, dict[str, Dataset]]] = {}
    for header in headers:
        series = studies.setdefault(str(header.StudyInstanceUID), {}).setdefault(str(header.SeriesInstanceUID), {})
        series[str(header.SOPInstanceUID)] = header
    own = studies.pop(str(dataset.StudyInstanceUID), None)
    if own:
        dataset.ReferencedSeriesSequence = _series_items(own)
    others = []
    for study_instance_uid, elsewhere in studies.items():
        item = Dataset()
        item.StudyInstanceUID = study_instance_uid
        item.ReferencedSeriesSequence = _series_items(elsewhere)
        others.append(item)
    if others:
        dataset.StudiesContainingOtherReferencedInstancesSequence = Sequence(others)


def _series_items(series: dict[str, dict[str, Dataset]]) -> Sequence:
    items = []
    for series_instance_uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_instance_uid
        item.ReferencedInstanceSequence = Sequence([reference(header) for header in instances.values()])
        items.append(item)
    return Sequence(items)


def add_equipment_chain(dataset: Dataset, inputs: EncodeInputs) -> None:
    """The equipment that acquired the sources, whatever they carry about their own past, and ourselves."""
    items: list[Dataset] = []
    for header in (inputs.fixed_headers[0], inputs.moving.headers[0]):
        for item in _equipment_of(header):
            if item not in items:
                items.append(item)
    ours = _contribution(dataset, PROCESSING_EQUIPMENT)
    ours.ContributionDateTime = moment_text(inputs.created_at)
    ours.ContributionDescription = text(f"Registration ({inputs.moving.registration.registrar}) and fusion", 1024)
    dataset.ContributingEquipmentSequence = Sequence([*items, ours])


def _equipment_of(header: Dataset) -> list[Dataset]:
    """A header's own past, then the equipment that made it: a processor where the past names an acquisition."""
    past = [decoded(item) for item in header.get("ContributingEquipmentSequence") or ()]
    acquired = any(
        purpose.get("CodeValue") == ACQUISITION_EQUIPMENT[0]
        for item in past
        for purpose in item.get("PurposeOfReferenceCodeSequence") or ()
    )
    return [*past, _contribution(header, PROCESSING_EQUIPMENT if acquired else ACQUISITION_EQUIPMENT)]


def _contribution(header: Dataset, purpose: tuple[str, str, str]) -> Dataset:
    item = Dataset()
    copy_elements(header, item, EQUIPMENT_KEYWORDS)
    if not item.get("Manufacturer"):
        item.Manufacturer = "UNKNOWN"
    item.PurposeOfReferenceCodeSequence = Sequence([code(*purpose)])
    return item


def add_lossy_history(dataset: Dataset, inputs: EncodeInputs) -> None:
    """Once lossy, for ever lossy (PS3.3 C.7.6.1.1.5): with the ratios and methods of the sources."""
    series = (inputs.fixed_headers, inputs.moving.headers)
    found = [next((h for h in headers if h.get("LossyImageCompression") == "01"), None) for headers in series]
    lossy = [header for header in found if header is not None]
    dataset.LossyImageCompression = "01" if lossy else "00"
    ratios = [value for header in lossy for value in _values(header, "LossyImageCompressionRatio")]
    methods = [value for header in lossy for value in _values(header, "LossyImageCompressionMethod")]
    if ratios:
        dataset.LossyImageCompressionRatio = ratios
    if methods:
        dataset.LossyImageCompressionMethod = methods


def _values(header: Dataset, keyword: str) -> list[object]:
    element = header.get(keyword)
    if element is None or element == "":
        return []
    return [element] if isinstance(element, str | float | int) else list(element)
