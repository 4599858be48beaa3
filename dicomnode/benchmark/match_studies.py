"""Generated studies as scanners send them, with the series that a reader would take: known, because each is made as one.

Vendors' names, kernels and Image Types; attenuation-corrected and uncorrected PET, scouts, thin and thick, soft and sharp
reconstructions, reformats, projections, captures, phases, repeats and double sends. Nothing here knows how choosing works.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.records import (
    InstanceRecord,
    PatientIdentity,
    SeriesHeader,
    SeriesRecord,
    SeriesState,
    StoredObject,
    StudyHeader,
)

CLASSES = {"CT": "2", "MR": "4", "PT": "128", "NM": "20", "SC": "7", "SR": "88.67"}
START = datetime(2024, 3, 4, 8, 0, tzinfo=UTC)
WHOLE_BODY_MM, CHEST_MM, HEAD_MM = 900.0, 320.0, 180.0


@dataclass(slots=True)
class Made:
    """One generated series; `place` is where its first slice lies, `repeats` how often each position is there."""

    modality: str
    description: str
    image_type: tuple[str, ...]
    length_mm: float
    spacing_mm: float
    pixel_mm: float = 1.0
    place: float = 0.0
    minutes: float = 0.0
    repeats: int = 1
    frames: int = 0
    kind: str = ""
    right: bool = False
    acquisition: int = 1
    frame: str = "1"
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Study:
    """What came, and which series are right for the fixed and for the moving part; several where they are equal."""

    what: str
    fixed: str
    moving: str
    series: tuple[SeriesRecord, ...]
    instances: Mapping[str, tuple[InstanceRecord, ...]]
    right_fixed: frozenset[str]
    right_moving: frozenset[str]
    right_count: Mapping[str, int]


def studies(count: int, seed: int) -> list[Study]:
    """So many studies."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        what = chance.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]
        fixed, moving, make = KINDS[what][1]
        made.append(_study(chance, number, what, fixed, moving, make(chance)))
    return made


def _study(chance: random.Random, number: int, what: str, fixed: str, moving: str, made: list[Made]) -> Study:
    made += [_sent_again(one) for one in made if chance.random() < 0.06]
    made += [_interrupted(one) for one in made if one.right and one.frames == 0 and chance.random() < 0.08]
    chance.shuffle(made)
    patient = PatientIdentity(str(100_000 + number), "CITY", f"PATIENT^NUMBER{number}", "19600101", chance.choice("MF"))
    built = {}
    for k, one in enumerate(made):
        uid = f"2.25.{number + 1}.{k + 1}"
        built[uid] = one, *_records(chance, uid, number, k, one, patient)
    right = {
        modality: frozenset(uid for uid, (one, *_) in built.items() if one.right and one.modality == modality)
        for modality in (fixed, moving)
    }
    counts = {uid: len(found) // one.repeats for uid, (one, _, found) in built.items()}
    return Study(
        what=what,
        fixed=fixed,
        moving=moving,
        series=tuple(record for _, record, _ in built.values()),
        instances={uid: found for uid, (_, _, found) in built.items()},
        right_fixed=right[fixed],
        right_moving=right[moving],
        right_count=counts,
    )


def _records(
    chance: random.Random, uid: str, study: int, number: int, made: Made, patient: PatientIdentity
) -> tuple[SeriesRecord, tuple[InstanceRecord, ...]]:
    at = START + timedelta(days=study, minutes=made.minutes)
    header = SeriesHeader(
        series_instance_uid=uid,
        modality={"SC": "OT"}.get(made.modality, made.modality),
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.{CLASSES[made.attributes.pop('class', made.modality)]}",
        frame_of_reference_uid=f"2.25.9.{study}.{made.frame}",
        series_number=str(number + 1 if chance.random() < 0.8 else 100 + number),
        description=made.description,
        acquired_at=at,
        attributes={"ImageType": list(made.image_type), "AcquisitionNumber": made.acquisition, **made.attributes},
    )
    described = StudyHeader(f"2.25.8.{study}", f"{at:%Y%m%d}", f"{at:%H%M%S}")
    count = 1 if made.frames else max(round(made.length_mm / made.spacing_mm), 1)
    instances = []
    for k in range(count * made.repeats):
        # Half of the scanners number phase by phase, the others slice by slice.
        slice_ = k % count if study % 2 == 0 else k // made.repeats
        instances.append(
            InstanceRecord(
                sop_instance_uid=f"{uid}.{k + 1}",
                sop_class_uid=header.sop_class_uid,
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                stored=StoredObject(f"{k:064x}", 1000),
                pixel_digest=f"{k:064x}",
                patient=patient,
                study=described,
                series=header,
                source_ae_title="SCANNER",
                received_at=at,
                instance_number=k + 1,
                number_of_frames=made.frames or 1,
                position=None if made.frames else made.place + slice_ * made.spacing_mm,
            )
        )
    record = SeriesRecord(
        header=header,
        study=described,
        patient=patient,
        source_ae_title="SCANNER",
        state=SeriesState.COMPLETE,
        instance_count=len(instances),
        first_received_at=at,
        last_received_at=at,
    )
    return record, tuple(instances)


def _sent_again(one: Made) -> Made:
    """The same series once more under UIDs of its own, as some workstations send it."""
    return _copy(one)


def _interrupted(one: Made) -> Made:
    """The first half of it, from a transfer that broke off and began anew under other UIDs."""
    return _copy(one, length_mm=one.length_mm * 0.5, right=False, kind="interrupted")


def _copy(one: Made, **changes: Any) -> Made:
    values = {name: getattr(one, name) for name in Made.__slots__} | {"attributes": dict(one.attributes)} | changes
    return Made(**values)


VENDORS = ("SIEMENS", "GE", "PHILIPS", "CANON")
SOFT = {"SIEMENS": ("B30f", "B31f", "I31f", "Br38f", "Bf37f", "B40s"), "GE": ("STANDARD", "SOFT"), "PHILIPS": ("B", "A"), "CANON": ("FC08", "FC18")}  # fmt: skip
SHARP = {"SIEMENS": ("B70f", "B80f", "Br64f", "I70f", "Bl64f"), "GE": ("LUNG", "BONE", "BONEPLUS"), "PHILIPS": ("YC", "YD", "L"), "CANON": ("FC51", "FC81", "FC30")}  # fmt: skip


def _ct_attributes(
    chance: random.Random, vendor: str, kernel: str, pixel_mm: float, *, axial: bool = True
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "PixelSpacing": [pixel_mm, pixel_mm],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]
        if axial
        else chance.choice(([1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])),
        "ManufacturerModelName": vendor,
    }
    if chance.random() < 0.93:
        attributes["ConvolutionKernel"] = [kernel, "2"] if vendor == "SIEMENS" and kernel.startswith("Br") else kernel
    return attributes


def _ct(chance: random.Random, vendor: str, what: str, kernel: str, length: float, spacing: float, **more: Any) -> Made:
    kinds = {
        "SIEMENS": ("AXIAL", "CT_SOM5 SPI"),
        "GE": ("AXIAL",),
        "PHILIPS": ("AXIAL", "HELIX"),
        "CANON": ("AXIAL", "VOLUME"),
    }
    derived = more.pop("derived", False)
    pixel_mm = more.pop("pixel_mm", 0.98)
    return Made(
        "CT",
        what,
        ("DERIVED" if derived else "ORIGINAL", "SECONDARY" if derived else "PRIMARY", *kinds[vendor]),
        length,
        spacing,
        pixel_mm,
        attributes=_ct_attributes(chance, vendor, kernel, pixel_mm),
        **more,
    )


def _ct_series(
    chance: random.Random, vendor: str, region: str, length: float, frame: str = "1", *, with_kernel: bool = True
) -> list[Made]:
    """What a CT of a region leaves behind. Right is the finest soft one that shows all of it."""
    soft, sharp = chance.choice(SOFT[vendor]), chance.choice(SHARP[vendor])

    def said(text: str, spacing: float, kernel: str) -> str:
        return f"{text} {spacing:g} {kernel}" if with_kernel and chance.random() < 0.8 else f"{text} {spacing:g}"

    thick = chance.choice((3.0, 3.75, 4.0, 5.0))
    usual = _ct(chance, vendor, said(region, thick, soft), soft, length, thick, frame=frame, right=True, kind="soft")
    made = [usual]
    if chance.random() < 0.4:
        thin = chance.choice((1.0, 1.25, 1.5, 2.0))
        made.append(
            _ct(chance, vendor, said(region, thin, soft), soft, length, thin, frame=frame, right=True, kind="thin")
        )
        usual.right = False
    if chance.random() < 0.35:
        spacing = chance.choice((1.0, 1.25, 1.5))
        part = min(length, CHEST_MM)
        what = said("Lunge" if vendor == "SIEMENS" and chance.random() < 0.5 else "LUNG", spacing, sharp)
        made.append(
            _ct(chance, vendor, what, sharp, part, spacing, place=length * 0.4, frame=frame, kind="sharp, a part")
        )
    if chance.random() < 0.25:
        spacing = chance.choice((1.0, 1.5, 2.0, thick))
        made.append(
            _ct(
                chance,
                vendor,
                said(f"{region} BONE", spacing, sharp),
                sharp,
                length,
                spacing,
                frame=frame,
                kind="sharp, all",
            )
        )
    if chance.random() < 0.8:
        scout = _ct(
            chance,
            vendor,
            chance.choice(("Topogram 0.6 T20s", "Scout", "SURVIEW", "LOCALIZER", "Übersicht")),
            soft,
            2.0,
            1.0,
            kind="scout",
        )
        scout.image_type = ("ORIGINAL", "PRIMARY", "LOCALIZER", *(("CT_SOM5 TOP",) if vendor == "SIEMENS" else ()))
        made.append(scout)
    if chance.random() < 0.5:
        plane = chance.choice(("COR", "SAG"))
        what = chance.choice(
            (f"MPR {plane} {region}", f"{region} {plane} MPR", f"{region} {plane.lower()} 3.0", f"Reformatted {plane}")
        )
        reformat = _ct(chance, vendor, what, soft, 300.0, 3.0, derived=True, frame=frame, kind="reformat")
        reformat.image_type = ("DERIVED", "SECONDARY", chance.choice(("MPR", "REFORMATTED", "AXIAL")))
        reformat.attributes |= {
            "ImageOrientationPatient": [1, 0, 0, 0, 0, -1] if plane == "COR" else [0, 1, 0, 0, 0, -1]
        }
        made.append(reformat)
    if chance.random() < 0.25:
        what = chance.choice(("MIP THORAX 10/5", f"{region} MIP", "THIN MIP 8.0"))
        made.append(_ct(chance, vendor, what, soft, length, 5.0, derived=True, frame=frame, kind="MIP"))
        made[-1].image_type = ("DERIVED", "SECONDARY", chance.choice(("MIP", "AXIAL", "PROJECTION IMAGE")))
    if chance.random() < 0.3:
        made.append(
            _ct(
                chance,
                vendor,
                chance.choice(("Patient Protocol", "Dose Report", "DOSE INFO")),
                soft,
                2.0,
                1.0,
                kind="page",
            )
        )
        made[-1].image_type = ("DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT")
        made[-1].attributes["class"] = "SC"
    if chance.random() < 0.12:
        made.append(
            _ct(
                chance,
                vendor,
                chance.choice(("PreMonitoring", "Smart Prep Series", "Test Bolus")),
                soft,
                10.0,
                10.0,
                repeats=12,
                kind="bolus",
            )
        )
    return made


def _pt(
    chance: random.Random,
    what: str,
    *,
    corrected: bool,
    length: float = WHOLE_BODY_MM,
    spacing: float = 3.0,
    **more: Any,
) -> Made:
    """Scanners list ATTN also for what they did not correct; Units tell some, words others."""
    pixel_mm = more.pop("pixel_mm", 4.07)
    corrections = ["NORM", "DTIM", "SCAT", "DECY", "RADL"]
    if corrected or chance.random() < 0.35:
        corrections.insert(2, "ATTN")
    attributes: dict[str, Any] = {
        "Units": "BQML" if corrected or chance.random() < 0.5 else "CNTS",
        "CorrectedImage": corrections,
        "PixelSpacing": [pixel_mm, pixel_mm],
        "SeriesType": more.pop("series_type", ["WHOLE BODY", "IMAGE"]),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    }
    if corrected and chance.random() < 0.6:
        attributes["AttenuationCorrectionMethod"] = chance.choice(("measured", "CT-derived mu-map", "MEASURED,AC_CT"))
    elif not corrected and chance.random() < 0.3:
        attributes["AttenuationCorrectionMethod"] = "NONE"
    image_type = more.pop("image_type", ("ORIGINAL", "PRIMARY"))
    return Made("PT", what, image_type, length, spacing, pixel_mm, minutes=5, attributes=attributes, **more)


CORRECTED = (
    "PET WB",
    "[WB_CTAC] Body",
    "WB AC",
    "PET AC 3D",
    "3D_WB_VIP",
    "PET Ganzkörper AC",
    "PET WB corrected",
    "AC_PET",
)
UNCORRECTED = (
    "PET WB Uncorrected",
    "[WB_NoAC] Body",
    "WB NAC",
    "PET NAC",
    "3D_WB NAC",
    "PET Ganzkörper unkorr",
    "PET WB No AC",
    "WB_NAC_3D",
)


def _pt_series(chance: random.Random) -> list[Made]:
    """Right is the corrected still one that shows everything, the finest of these."""
    family = chance.randrange(len(CORRECTED))
    spacing = chance.choice((2.0, 3.0, 3.27, 4.0, 5.0))
    usual = _pt(chance, CORRECTED[family], corrected=True, spacing=spacing, right=True, kind="AC")
    if chance.random() < 0.15:
        usual.image_type = ("DERIVED", "PRIMARY")
    made = [usual]
    if chance.random() < 0.7:
        made.append(_pt(chance, UNCORRECTED[family], corrected=False, spacing=spacing, kind="NAC"))
        made[-1].image_type = usual.image_type
    if chance.random() < 0.25:
        fine = _pt(
            chance,
            f"{CORRECTED[family]} {chance.choice(('TrueX', 'TOF', 'QClear', 'PSF'))}",
            corrected=True,
            spacing=spacing,
            pixel_mm=2.04,
            right=True,
            kind="fine AC",
        )
        made.append(fine)
        usual.right = False
    if chance.random() < 0.2:
        made.append(
            _pt(
                chance,
                f"{CORRECTED[family]} head",
                corrected=True,
                length=HEAD_MM * 1.4,
                spacing=min(spacing, 2.0),
                place=WHOLE_BODY_MM * 0.7,
                kind="a bed",
            )
        )
    if chance.random() < 0.15:
        made.append(
            _pt(
                chance,
                f"{CORRECTED[family]} gated",
                corrected=True,
                length=400.0,
                spacing=spacing,
                repeats=6,
                series_type=["GATED", "IMAGE"],
                kind="gated",
            )
        )
    if chance.random() < 0.2:
        made.append(
            _pt(
                chance,
                chance.choice(("PET MIP", "MIP", "WB MIP rotating")),
                corrected=True,
                length=400.0,
                spacing=8.0,
                image_type=("DERIVED", "SECONDARY", "REPROJECTION"),
                kind="MIP",
            )
        )
    if chance.random() < 0.15:
        made.append(
            _pt(
                chance,
                "Fused PET CT",
                corrected=True,
                length=300.0,
                image_type=("DERIVED", "SECONDARY", "FUSED"),
                kind="fused",
            )
        )
        made[-1].attributes["class"] = "SC"
    return made


def _pet_ct(chance: random.Random) -> list[Made]:
    vendor = chance.choice(VENDORS)
    made = _ct_series(
        chance, vendor, chance.choice(("CT WB", "CT LD WB", "AC CT", "WB CT", "CTAC", "CT Ganzkörper")), WHOLE_BODY_MM
    )
    if chance.random() < 0.2:  # of the chest in deep breath, in the same study
        kernel = chance.choice(SOFT[vendor])
        made.append(
            _ct(
                chance,
                vendor,
                f"Thorax insp 1.5 {kernel}",
                kernel,
                CHEST_MM,
                1.5,
                place=400.0,
                acquisition=2,
                minutes=20,
                kind="a part",
            )
        )
    return made + _pt_series(chance)


def _dynamic_brain(chance: random.Random) -> list[Made]:
    """A brain PET in phases beside the CT of the head; the last phase is used."""
    vendor = chance.choice(VENDORS)
    made = _ct_series(chance, vendor, "CT HEAD", HEAD_MM)
    still = chance.random() < 0.5
    made.append(
        _pt(
            chance,
            "Brain AC dynamic",
            corrected=True,
            length=HEAD_MM,
            spacing=2.0,
            repeats=chance.choice((4, 6, 12)),
            series_type=["DYNAMIC", "IMAGE"],
            right=not still,
            kind="dynamic",
        )
    )
    if still:
        made.append(
            _pt(
                chance,
                "Brain AC static",
                corrected=True,
                length=HEAD_MM,
                spacing=2.0,
                series_type=["STATIC", "IMAGE"],
                right=True,
                kind="static",
            )
        )
    made.append(
        _pt(
            chance,
            "Brain NAC",
            corrected=False,
            length=HEAD_MM,
            spacing=2.0,
            series_type=["STATIC", "IMAGE"],
            kind="NAC",
        )
    )
    return made


def _nm(what: str, image_type: tuple[str, ...], frames: int, *, corrected: bool | None, **more: Any) -> Made:
    attributes: dict[str, Any] = {
        "PixelSpacing": [4.42, 4.42],
        "SliceThickness": 4.42,
        "SpacingBetweenSlices": 4.42,
        "ManufacturerModelName": "Symbia",
    }
    if corrected is not None:
        attributes["CorrectedImage"] = ["ATTN", "SCAT"] if corrected else ["DECY"]
    return Made("NM", what, image_type, 400.0, 4.42, 4.42, minutes=15, frames=frames, attributes=attributes, **more)


def _spect_ct(chance: random.Random) -> list[Made]:
    made = _ct_series(chance, chance.choice(VENDORS), "CT SPECT LD", 400.0)
    words = chance.choice(("Bone", "Tektrotyd", "MIBG", "Knochen", "Parathyroid"))
    tomo = ("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION")
    made.append(
        _nm(
            f"{words} {chance.choice(('IRAC', 'AC', 'Recon CTAC', 'SPECT AC'))}",
            tomo,
            96,
            corrected=True,
            right=True,
            kind="AC",
        )
    )
    if chance.random() < 0.7:
        made.append(
            _nm(
                f"{words} {chance.choice(('IRNC', 'NAC', 'SPECT NC', 'no AC'))}",
                tomo,
                96,
                corrected=False,
                kind="NAC",
            )
        )
    if chance.random() < 0.7:
        made.append(
            _nm(
                f"{words} Tomo raw",
                ("ORIGINAL", "PRIMARY", "TOMO", "EMISSION"),
                120,
                corrected=None,
                kind="projections",
            )
        )
    if chance.random() < 0.6:
        made.append(
            _nm(
                f"{words} WB planar",
                ("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"),
                2,
                corrected=None,
                kind="planar",
            )
        )
    return made


MR_SERIES: tuple[tuple[str, str, tuple[str, ...], float, float, float, int, dict[str, Any]], ...] = (
    ("T1 post", "t1_mprage_sag_iso KM", ("ORIGINAL", "PRIMARY", "M", "ND"), HEAD_MM, 1.0, 0.55, 1, {"EchoTime": 2.3, "RepetitionTime": 1900, "InversionTime": 900}),
    ("T1 post", "Ax T1 BRAVO +C", ("ORIGINAL", "PRIMARY", "OTHER"), HEAD_MM, 1.0, 0.6, 1, {"EchoTime": 3.1, "RepetitionTime": 8}),
    ("T1 post", "T1W_3D_TFE Gd", ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"), HEAD_MM, 1.0, 0.5, 1, {"EchoTime": 4, "RepetitionTime": 9}),
    ("T1", "t1_mprage_tra_p2_iso", ("ORIGINAL", "PRIMARY", "M", "ND", "NORM"), HEAD_MM, 1.0, 0.55, 1, {"EchoTime": 2.3, "RepetitionTime": 1900, "InversionTime": 900}),
    ("T1", "Ax T1 FSPGR 3D", ("ORIGINAL", "PRIMARY", "OTHER"), HEAD_MM, 1.0, 0.6, 1, {"EchoTime": 3.1, "RepetitionTime": 8}),
    ("T2", "t2_tse_tra", ("ORIGINAL", "PRIMARY", "M", "ND"), HEAD_MM, 4.0, 0.4, 1, {"EchoTime": 100, "RepetitionTime": 5000}),
    ("T2", "Ax T2 FRFSE", ("ORIGINAL", "PRIMARY", "OTHER"), HEAD_MM, 5.0, 0.4, 1, {"EchoTime": 102, "RepetitionTime": 4500}),
    ("FLAIR", "t2_tirm_tra_dark-fluid", ("ORIGINAL", "PRIMARY", "M", "ND"), HEAD_MM, 4.0, 0.5, 1, {"EchoTime": 90, "RepetitionTime": 9000, "InversionTime": 2500}),
    ("FLAIR", "Sag CUBE FLAIR", ("ORIGINAL", "PRIMARY", "OTHER"), HEAD_MM, 1.2, 0.5, 1, {"EchoTime": 120, "RepetitionTime": 6000, "InversionTime": 1800}),
    ("DWI", "ep2d_diff_3scan_trace_TRACEW", ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"), HEAD_MM, 5.0, 1.2, 2, {"EchoTime": 90, "RepetitionTime": 5000, "DiffusionBValue": 1000}),
    ("ADC", "ep2d_diff_3scan_trace_ADC", ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), HEAD_MM, 5.0, 1.2, 1, {"EchoTime": 90, "RepetitionTime": 5000}),
    ("DWI", "Ax DWI B1000", ("ORIGINAL", "PRIMARY", "OTHER"), HEAD_MM, 5.0, 0.9, 2, {"EchoTime": 70, "RepetitionTime": 8000, "DiffusionBValue": 1000}),
    ("SWI", "SWI_Images", ("ORIGINAL", "PRIMARY", "M", "SWI", "NORM"), HEAD_MM, 2.0, 0.8, 1, {"EchoTime": 20, "RepetitionTime": 28}),
    ("TOF", "TOF_3D_multi-slab", ("ORIGINAL", "PRIMARY", "M", "ND"), 90.0, 0.6, 0.4, 1, {"EchoTime": 7, "RepetitionTime": 24}),
    ("sub", "t1 Subtraction", ("DERIVED", "PRIMARY", "SUB", "M"), HEAD_MM, 1.0, 0.5, 1, {"EchoTime": 2.3, "RepetitionTime": 1900}),
    ("perf", "ep2d_perf_p2", ("ORIGINAL", "PRIMARY", "M", "ND"), HEAD_MM, 5.0, 1.8, 50, {"EchoTime": 30, "RepetitionTime": 1500}),
    ("bold", "fMRI resting", ("ORIGINAL", "PRIMARY", "FMRI", "NONE"), HEAD_MM, 4.0, 3.0, 10, {"EchoTime": 30, "RepetitionTime": 2000}),
)  # fmt: skip
MR_BEST = ("T1 post", "T1", "T2", "FLAIR")
"""What a reader would fuse with first, of those that may be alone with the rest."""


def _mr_series(chance: random.Random, frame: str = "2") -> list[Made]:
    chosen: dict[str, Any] = {}
    for row in chance.sample(MR_SERIES, len(MR_SERIES)):
        if row[0] not in chosen and chance.random() < 0.6:
            chosen[row[0]] = row
    if not set(chosen) & set(MR_BEST):
        chosen["T1"] = MR_SERIES[3]
    best = next(kind for kind in MR_BEST if kind in chosen)
    made = []
    for kind, what, image_type, length, spacing, pixel_mm, repeats, attributes in chosen.values():
        values = {
            **attributes,
            "PixelSpacing": [pixel_mm, pixel_mm],
            "ManufacturerModelName": "Skyra",
            "ScanningSequence": ["GR", "IR"] if "1" in kind else ["SE"],
        }
        made.append(
            Made(
                "MR",
                what,
                image_type,
                length,
                spacing,
                pixel_mm,
                minutes=60,
                repeats=repeats,
                kind=kind,
                right=kind == best,
                frame=frame,
                attributes=values,
            )
        )
    scout = Made(
        "MR",
        chance.choice(("localizer", "3-Plane Loc", "Survey", "AAHead_Scout")),
        ("ORIGINAL", "PRIMARY", "M", "ND"),
        27.0,
        3.0,
        1.0,
        minutes=58,
        kind="scout",
        frame=frame,
        attributes={"EchoTime": 3, "RepetitionTime": 8, "PixelSpacing": [1.0, 1.0]},
    )
    return [*made, scout]


def _ct_mr(chance: random.Random) -> list[Made]:
    return _ct_series(chance, chance.choice(VENDORS), "CT HEAD", HEAD_MM) + _mr_series(chance)


def _mr_pet(chance: random.Random) -> list[Made]:
    pet = [_pt(chance, "Brain PET AC MRAC", corrected=True, length=HEAD_MM, spacing=2.0, right=True, kind="AC")]
    if chance.random() < 0.7:
        pet.append(_pt(chance, "Brain PET NAC", corrected=False, length=HEAD_MM, spacing=2.0, kind="NAC"))
    return _mr_series(chance, frame="1") + pet


KINDS: Mapping[str, tuple[float, tuple[str, str, Callable[[random.Random], list[Made]]]]] = {
    "PET/CT": (45.0, ("CT", "PT", _pet_ct)),
    "dynamic brain PET and CT": (10.0, ("CT", "PT", _dynamic_brain)),
    "SPECT/CT": (15.0, ("CT", "NM", _spect_ct)),
    "CT and MR of the head": (15.0, ("CT", "MR", _ct_mr)),
    "MR and PET of the head": (15.0, ("MR", "PT", _mr_pet)),
}
"""What is examined, and how often in a hundred."""


def chosen_right(study: Study, fixed: str, moving: str, counts: Sequence[int]) -> bool:
    """Whether both series are right, and so many instances of each are used as one phase has."""
    wanted = [study.right_count[fixed], study.right_count[moving]]
    return fixed in study.right_fixed and moving in study.right_moving and list(counts) == wanted
