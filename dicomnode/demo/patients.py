"""Two generated patients as real DICOM: PET/CT of one examination, and CT and MR of different days.

The second patient lay differently in the two scanners, by a rotation and a shift that are known exactly: the true
transform is what the node's own answer is measured against.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from fusion.geometry.transform import AffineTransform
from fusion.volume import Grid

from ..phantom.scanner import Acquisition, Image, acquire

INJECTED_BQ = 330e6
HALF_LIFE_S = 6586.2
UPTAKE_S = 3600.0
WEIGHT_KG = 74.0


@dataclass(frozen=True, slots=True)
class Examination:
    """One study: when, of what, and in which coordinates."""

    patient_id: str
    patient_name: str
    birth_date: str
    sex: str
    date: str
    time: str
    description: str
    study_instance_uid: str
    frame_of_reference_uid: str
    accession_number: str
    scanner: str


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedSeries:
    """One series on disk."""

    modality: str
    series_instance_uid: str
    folder: Path
    grid: Grid


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedPatient:
    """A patient with a fixed and a moving series, and how the moving one truly lies to the fixed one.

    `truth` maps fixed to moving points, LPS mm.
    """

    title: str
    fixed: GeneratedSeries
    moving: GeneratedSeries
    truth: AffineTransform


def pet_ct_patient(folder: Path, date: str, coarser: float = 1.0) -> GeneratedPatient:
    """Chest: CT and FDG PET of one examination, one Frame of Reference; each sees slices that the other does not.

    `coarser` enlarges the voxels for a quicker run.
    """
    examination = Examination(
        "DEMO-0001", "Demonstration^Petra", "19570412", "F", date, "0915", "PET/CT chest",
        generate_uid(), generate_uid(), "ACC-DEMO-1", "PET/CT simulator",
    )  # fmt: skip
    lying = AffineTransform.rigid((0.0, 0.03, 0.05), (6.0, -4.0, 0.0))
    ct = Acquisition(
        "CT", "CHEST", _grid((72, 224, 224), (4.0, 1.8, 1.8), (0, 4, 12), coarser), lying, 1.6, 14.0, seed=11
    )
    pet = Acquisition(
        "PT", "CHEST", _grid((80, 112, 112), (3.4, 4.07, 4.07), (0, 4, -6), coarser), lying, 6.0, 0.22, seed=12
    )
    return GeneratedPatient(
        "PET/CT of one examination",
        _write(ct, examination, "CT chest 4.0 B30f", 2, folder / "ct"),
        _write(pet, examination, "PET WB AC FDG", 3, folder / "pet"),
        AffineTransform.identity(),
    )


def ct_mr_patient(folder: Path, ct_date: str, mr_date: str, coarser: float = 1.0) -> GeneratedPatient:
    """Head: CT and T1 MR of different days and Frames of Reference, turned and shifted by a known amount."""
    who = ("DEMO-0002", "Demonstration^Max", "19490923", "M")
    ct_examination = Examination(
        *who, ct_date, "1010", "CT head", generate_uid(), generate_uid(), "ACC-DEMO-2", "CT simulator"
    )
    mr_examination = Examination(
        *who, mr_date, "1520", "MR head", generate_uid(), generate_uid(), "ACC-DEMO-3", "MR simulator"
    )
    in_ct = AffineTransform.rigid((0.04, -0.02, 0.03), (2.0, -3.0, 5.0))
    in_mr = AffineTransform.rigid(radians(11.0, -6.0, 14.0), (18.0, -12.0, 27.0))
    ct = Acquisition(
        "CT", "HEAD", _grid((72, 224, 224), (2.6, 1.05, 1.05), (0, 0, 0), coarser), in_ct, 1.2, 7.0, seed=21
    )
    oblique = AffineTransform.rigid(radians(8.0, 0.0, 5.0), (0, 0, 0))
    mr_grid = _grid((88, 192, 192), (1.9, 1.25, 1.25), (16, -10, 40), coarser, oblique)
    mr = Acquisition("MR", "HEAD", mr_grid, in_mr, 1.4, 0.02, seed=22)
    return GeneratedPatient(
        "CT and MR of different days",
        _write(ct, ct_examination, "Head 2.6 H31s", 2, folder / "ct"),
        _write(mr, mr_examination, "t1 mprage", 4, folder / "mr"),
        in_ct.inverse().then(in_mr),
    )


def radians(*degrees: float) -> list[float]:
    """A rotation vector in degrees as one in radians."""
    return [math.radians(angle) for angle in degrees]


def _grid(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    centre_mm: Sequence[float],
    coarser: float,
    turn: AffineTransform | None = None,
) -> Grid:
    """Axial slices, feet to head, round `centre_mm`; turned about it where the scanner's planes are oblique."""
    shape = (round(shape[0] / coarser), round(shape[1] / coarser), round(shape[2] / coarser))
    spacing_mm = (spacing_mm[0] * coarser, spacing_mm[1] * coarser, spacing_mm[2] * coarser)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = (*spacing_mm, 1.0)
    if turn is not None:
        affine[:3, :3] = turn.matrix[:3, :3] @ affine[:3, :3]
    middle = (np.array(shape, dtype=np.float64) - 1) / 2
    affine[:3, 3] = np.asarray(centre_mm, dtype=np.float64) - affine[:3, :3] @ middle
    return Grid(shape, np.round(affine, 9))


def _write(
    acquisition: Acquisition, examination: Examination, description: str, number: int, folder: Path
) -> GeneratedSeries:
    folder.mkdir(parents=True, exist_ok=True)
    image, series_instance_uid = acquire(acquisition), generate_uid()
    for index in range(acquisition.grid.shape[0]):
        instance = _instance(acquisition, examination, index)
        instance.SeriesInstanceUID, instance.SeriesNumber = series_instance_uid, number
        instance.SeriesDescription = description
        _MODULES[acquisition.modality](instance, image[index], index, len(image))
        instance.save_as(folder / f"{index + 1:04d}.dcm", enforce_file_format=True)
    return GeneratedSeries(acquisition.modality, series_instance_uid, folder, acquisition.grid)


def _instance(acquisition: Acquisition, examination: Examination, index: int) -> Dataset:
    grid = acquisition.grid
    instance = Dataset()
    instance.SpecificCharacterSet = "ISO_IR 192"
    instance.SOPClassUID = _CLASSES[acquisition.modality]
    instance.SOPInstanceUID = generate_uid()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.MediaStorageSOPClassUID = instance.SOPClassUID
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.PatientID, instance.PatientName = examination.patient_id, examination.patient_name
    instance.IssuerOfPatientID = "DEMO"
    instance.PatientBirthDate, instance.PatientSex = examination.birth_date, examination.sex
    instance.PatientWeight = WEIGHT_KG
    instance.StudyInstanceUID, instance.StudyID = examination.study_instance_uid, "1"
    instance.StudyDescription, instance.AccessionNumber = examination.description, examination.accession_number
    instance.ReferringPhysicianName = ""
    for moment in ("Study", "Series", "Acquisition", "Content"):
        setattr(instance, f"{moment}Date", examination.date)
        setattr(instance, f"{moment}Time", f"{examination.time}00")
    instance.Modality, instance.BodyPartExamined = acquisition.modality, acquisition.body_part
    instance.Manufacturer, instance.ManufacturerModelName = "Generated", examination.scanner
    instance.DeviceSerialNumber, instance.SoftwareVersions = "1", "1"
    instance.FrameOfReferenceUID, instance.PositionReferenceIndicator = examination.frame_of_reference_uid, ""
    instance.InstanceNumber, instance.AcquisitionNumber = index + 1, 1
    instance.ImageOrientationPatient = [f"{value:.8f}" for value in (*grid.direction[:, 2], *grid.direction[:, 1])]
    instance.ImagePositionPatient = [f"{value:.6f}" for value in grid.points(np.array([index, 0.0, 0.0]))]
    instance.PixelSpacing = [f"{grid.spacing_mm[1]:.6f}", f"{grid.spacing_mm[2]:.6f}"]
    instance.SliceThickness = f"{grid.spacing_mm[0]:.4f}"
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.Rows, instance.Columns = grid.shape[1:]
    instance.BitsAllocated, instance.BitsStored, instance.HighBit = 16, 16, 15
    return instance


def _ct(instance: Dataset, pixels: Image, _index: int, _count: int) -> None:
    instance.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    instance.PatientPosition = "HFS"
    instance.KVP, instance.ConvolutionKernel = "120", "B30f"
    instance.RescaleIntercept, instance.RescaleSlope, instance.RescaleType = "-1024", "1", "HU"
    instance.WindowCenter, instance.WindowWidth = "40", "400"
    instance.PixelRepresentation = 0
    instance.PixelData = np.clip(np.rint(pixels + 1024), 0, 4095).astype("<u2").tobytes()


def _mr(instance: Dataset, pixels: Image, _index: int, _count: int) -> None:
    instance.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    instance.PatientPosition = "HFS"
    instance.ScanningSequence, instance.SequenceVariant, instance.ScanOptions = "GR", "SP", ""
    instance.MRAcquisitionType, instance.SequenceName = "3D", "*tfl3d1"
    instance.RepetitionTime, instance.EchoTime, instance.InversionTime = "2300", "2.98", "900"
    instance.EchoTrainLength, instance.MagneticFieldStrength, instance.FlipAngle = 1, "3", "9"
    instance.PixelRepresentation = 0
    instance.PixelData = np.clip(np.rint(pixels), 0, 4095).astype("<u2").tobytes()


def _pet(instance: Dataset, pixels: Image, index: int, count: int) -> None:
    instance.ImageType = ["ORIGINAL", "PRIMARY"]
    instance.Units, instance.CountsSource, instance.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    instance.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    instance.DecayCorrection, instance.DecayFactor = "START", "1.0"
    instance.AttenuationCorrectionMethod, instance.ScatterCorrectionMethod = "measured, CT", "model-based"
    instance.RandomsCorrectionMethod, instance.ReconstructionMethod = "DLYD", "OSEM 3i21s"
    instance.CollimatorType = "NONE"
    instance.FrameReferenceTime, instance.ActualFrameDuration = "60000", "120000"
    instance.NumberOfSlices, instance.ImageIndex = count, index + 1
    radiopharmaceutical = Dataset()
    radiopharmaceutical.Radiopharmaceutical = "Fluorodeoxyglucose"
    radiopharmaceutical.RadiopharmaceuticalRoute = ""
    radiopharmaceutical.RadionuclideTotalDose = f"{INJECTED_BQ:.0f}"
    radiopharmaceutical.RadionuclideHalfLife = str(HALF_LIFE_S)
    radiopharmaceutical.RadionuclidePositronFraction = "0.97"
    radiopharmaceutical.RadiopharmaceuticalStartTime = _earlier(str(instance.SeriesTime), UPTAKE_S)
    radiopharmaceutical.RadionuclideCodeSequence = Items([_code("C-111A1", "SRT", "^18^Fluorine")])
    radiopharmaceutical.RadiopharmaceuticalCodeSequence = Items([_code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")])
    instance.RadiopharmaceuticalInformationSequence = Items([radiopharmaceutical])
    orientation = _code("F-10450", "SRT", "recumbent")
    orientation.PatientOrientationModifierCodeSequence = Items([_code("F-10340", "SRT", "supine")])
    instance.PatientOrientationCodeSequence = Items([orientation])
    instance.PatientGantryRelationshipCodeSequence = Items([_code("F-10470", "SRT", "headfirst")])
    activity = pixels * INJECTED_BQ * 2 ** (-UPTAKE_S / HALF_LIFE_S) / (WEIGHT_KG * 1000)  # Bq/ml of the SUV
    slope = f"{max(float(activity.max()), 1.0) / 32767:.10g}"[:16]  # per slice, as scanners do
    instance.RescaleIntercept, instance.RescaleSlope = "0", slope
    instance.PixelRepresentation = 1
    instance.PixelData = np.clip(np.rint(activity / float(slope)), 0, 32767).astype("<i2").tobytes()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _earlier(time: str, seconds: float) -> str:
    total = int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:6]) - int(seconds)
    return f"{total // 3600:02d}{total // 60 % 60:02d}{total % 60:02d}"


_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}
_MODULES = {"CT": _ct, "MR": _mr, "PT": _pet}
