"""Slices that nobody took, for the ingest benchmark: headers as scanners write them, pixels of noise."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of slice, `extent` pixels wide and high."""

    modality: str
    sop_class_uid: str
    extent: int


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "CT": Kind("CT", "1.2.840.10008.5.1.4.1.1.2", 512),
        "PET": Kind("PT", "1.2.840.10008.5.1.4.1.1.128", 168),
    }
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One instance as it goes over the wire."""

    sop_class_uid: str
    sop_instance_uid: str
    dataset: bytes = field(repr=False)


def slices(kind: Kind, count: int, **changes: object) -> list[Slice]:
    """One series of `count` slices under new UIDs, explicit VR little endian; `changes` set elements by keyword."""
    dataset = _header(kind)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    pixels = np.random.default_rng(0).integers(0, 4096, kind.extent**2, dtype=np.uint16).tobytes()
    made = []
    for k in range(count):
        uid = generate_uid()
        dataset.SOPInstanceUID, dataset.InstanceNumber = uid, k + 1
        dataset.ImagePositionPatient = [-250.0, -250.0, float(k)]
        dataset.PixelData = struct.pack("<L", k) + pixels[4:]
        dataset["PixelData"].VR = "OW"
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_dataset(buffer, dataset)
        made.append(Slice(kind.sop_class_uid, str(uid), buffer.getvalue()))
    return made


def _header(kind: Kind) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID, dataset.Modality = kind.sop_class_uid, kind.modality
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20260301"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = "101500"
    dataset.Manufacturer, dataset.SeriesDescription = "Scanner Works", "generated"
    dataset.PatientName, dataset.PatientID = "Generated^Patient", "GENERATED-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19500101", "O"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1.0, 1.0], 1.0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = kind.extent
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    return dataset
