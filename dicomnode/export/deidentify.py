"""De-identification of one data set by PS3.15 Annex E: the Basic Application Confidentiality Profile and two options.

What is done to which attribute is the table of dicom-anonymizer (Table E.1-1, edition 2026c); here it is carried out,
in sequences of any depth, since E.1.1 asks for that. Options: Retain Longitudinal Temporal Information with Modified
Dates (E.3.6) and Retain Patient Characteristics (E.3.7). Pixels are not looked at: what may hold writing is refused.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from ..errors import ExportError
from ..settings import OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION
from .formats import Dates
from .pseudonyms import Pseudonyms, shifted

CODES = MappingProxyType(
    {
        "113100": "Basic Application Confidentiality Profile",
        "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
        "113108": "Retain Patient Characteristics Option",
    }
)
"""CID 7050."""

CHARACTERISTICS = frozenset(
    Tag(keyword)
    for keyword in (
        "PatientSex",
        "PatientSexNeutered",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "EthnicGroup",
        "SmokingStatus",
        "PregnancyStatus",
    )
)
"""What Table E.1-1 keeps (K) under Retain Patient Characteristics. SUV needs the weight."""

OF_BIRTH = frozenset(
    Tag(keyword) for keyword in ("PatientBirthDate", "PatientBirthTime", "PatientBirthDateInAlternativeCalendar")
)
OLDEST_AGE_YEARS = 89
"""Greater ages tell people apart: they become 090Y, as HIPAA's safe harbour (45 CFR 164.514(b)(2)(i)(C)) has it."""

OVERLAYS = range(0x6000, 0x6100)
CURVES = range(0x5000, 0x5100)
DUMMIES: Mapping[str, Any] = MappingProxyType(
    {
        "AS": "000Y",
        "DA": "19000101",
        "DT": "19000101000000",
        "TM": "000000",
        "DS": "0",
        "IS": "0",
        "UR": "http://deidentified.invalid",
        **dict.fromkeys(("FD", "FL"), 0.0),
        **dict.fromkeys(("SL", "SS", "SV", "UL", "US", "UV"), 0),
        **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), b"\0\0"),
    }
)
PAIR = 2  # group and element
TEXT_DUMMY = "REMOVED"


Action = Callable[[Dataset, DataElement], None]


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """Makes de-identified copies. One `pseudonyms` for all that must fit together."""

    pseudonyms: Pseudonyms
    dates: Dates = Dates.REMOVE
    keep_characteristics: bool = False

    def __call__(self, dataset: Dataset, patient_key: str, description: str) -> FileDataset:
        """A copy of `dataset` (a whole file, with its meta information) that names nobody.

        `patient_key` tells patients apart and is not to be found in the copy; `description` becomes the series
        description. Raises `ExportError` where the pixels may hold writing.
        """
        refuse_writing(dataset)
        copy = deepcopy(dataset)
        self._clean(copy, patient_key)
        name = self.pseudonyms.patient(patient_key)
        copy.PatientName = copy.PatientID = name
        copy.SeriesDescription = description
        copy.PatientIdentityRemoved = "YES"
        shift = self.dates is Dates.SHIFT
        copy.LongitudinalTemporalInformationModified = "MODIFIED" if shift else "REMOVED"
        used = ["113100", *(["113107"] if shift else []), *(["113108"] if self.keep_characteristics else [])]
        copy.DeidentificationMethod = [f"PS3.15 Table E.1-1 {CODES[value]}"[:64] for value in used]
        copy.DeidentificationMethodCodeSequence = Sequence([_code(value) for value in used])
        copy.ImageComments = "NOT FOR DIAGNOSTIC USE"
        return _as_file(copy)

    def _clean(self, dataset: Dataset, patient_key: str) -> None:
        for element in list(dataset):
            action = self._action(element, patient_key)
            if action is not None:
                action(dataset, element)
            elif element.VR == "SQ":
                for item in element.value:
                    self._clean(item, patient_key)

    def _action(self, element: DataElement, patient_key: str) -> Action | None:
        """What is done to the element; None where nothing is, and its items are looked at."""
        tag = element.tag
        if tag.is_private or tag.group in CURVES or tag.group in OVERLAYS or element.VR == "UN":
            return _remove
        if self.keep_characteristics and tag in CHARACTERISTICS:
            return _cap_age if tag == Tag("PatientAge") else _keep
        if self.dates is Dates.SHIFT and element.VR in ("DA", "DT", "TM") and tag not in OF_BIRTH:
            return self._shift_by(patient_key)
        if tag in _TABLE["U"]:
            return self._replace_uid
        if element.VR == "PN":  # also where the table forgets one
            return _empty
        return next((_ACTIONS[kind] for kind in _ACTIONS if tag in _TABLE[kind]), None)

    def _replace_uid(self, _dataset: Dataset, element: DataElement) -> None:
        values = element.value if isinstance(element.value, MultiValue) else [element.value]
        replaced = [UID(self.pseudonyms.uid(str(value))) for value in values if value]
        element.value = replaced if len(replaced) > 1 else (replaced[0] if replaced else None)

    def _shift_by(self, patient_key: str) -> Action:
        by = self.pseudonyms.shift(patient_key)

        def shift(_dataset: Dataset, element: DataElement) -> None:
            if element.VR == "TM" or element.is_empty:
                return
            values = element.value if isinstance(element.value, MultiValue) else [element.value]
            moved = [shifted(str(value), by) for value in values]
            element.value = moved if len(moved) > 1 else moved[0]

        return shift


def refuse_writing(dataset: Dataset) -> None:
    """Raise `ExportError` where pixels or content may hold what no table of attributes can remove."""
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData")) and dataset.Modality != "REG":
        raise ExportError(f"{dataset.SOPClassUID.name} holds text that is not de-identified here")
    if dataset.get("BurnedInAnnotation") == "YES":
        raise ExportError("its pixels hold writing (Burned In Annotation YES), which is not removed here")


def _kinds(*names: str) -> frozenset[BaseTag]:
    return frozenset(
        Tag(*tag) for name in names for tag in getattr(table, name) if len(tag) == len(("group", "element"))
    )


_TABLE: Mapping[str, frozenset[BaseTag]] = MappingProxyType(
    {
        "U": _kinds("U_TAGS"),
        "references": _kinds("X_Z_U_STAR_TAGS"),
        "Z": _kinds("Z_TAGS", "X_Z_TAGS"),
        "D": _kinds("D_TAGS", "Z_D_TAGS", "X_D_TAGS", "X_Z_D_TAGS"),
        "X": _kinds("X_TAGS"),
    }
)


def _keep(_dataset: Dataset, _element: DataElement) -> None:
    """Nothing."""


def _remove(dataset: Dataset, element: DataElement) -> None:
    del dataset[element.tag]


def _empty(dataset: Dataset, element: DataElement) -> None:
    if element.VR == "SQ":
        _remove(dataset, element)
    else:
        element.value = element.empty_value


def _dummy(dataset: Dataset, element: DataElement) -> None:
    """A value that says nothing. Sequences of this kind name people or hold text: they go."""
    if element.VR == "SQ":
        _remove(dataset, element)
    elif not element.is_empty:
        element.value = DUMMIES.get(element.VR, TEXT_DUMMY)


def _cap_age(_dataset: Dataset, element: DataElement) -> None:
    age = str(element.value or "")
    if age.endswith("Y") and age[:-1].isdigit() and int(age[:-1]) > OLDEST_AGE_YEARS:
        element.value = "090Y"


_ACTIONS: Mapping[str, Action] = MappingProxyType({"X": _remove, "Z": _empty, "D": _dummy})


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", CODES[value]
    return item


def _as_file(dataset: Dataset) -> FileDataset:
    """With new file meta information: the old one names application entities."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(OWN_IMPLEMENTATION_UID)
    meta.ImplementationVersionName = OWN_IMPLEMENTATION_VERSION
    return FileDataset(BytesIO(), dataset, preamble=b"\0" * 128, file_meta=meta)
