"""Which series can serve at all, and what kind of series they are: headers as scanners and people write them."""

from typing import Any

import pytest

from dicomnode.match.attenuation import Attenuation, attenuation_of
from dicomnode.match.sequences import SequenceKind, sequence_of
from dicomnode.match.serving import obstacle
from tests.fixtures.series_records import ENHANCED_MR, SECONDARY_CAPTURE, MadeSeries, ct, make_series, mr, pet


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (ct(description="Topogram 0.6 T20s", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "localiser"),
        (ct(description="Scout", slices=5), "localiser"),
        (ct(description="Surview"), "localiser"),
        (ct(description="Patient Protocol", image_type=("ORIGINAL", "PRIMARY", "OTHER", "CT_SOM5 PROT")), "protocol"),
        (ct(description="Dose Report", sop_class_uid=SECONDARY_CAPTURE), "not CT images"),
        (ct(description="Dose Report", image_type=("DERIVED", "SECONDARY", "SCREEN SAVE")), "screen capture"),
        (ct(description="SmartPrep Series"), "bolus"),
        (ct(description="Bolus Tracking"), "bolus"),
        (ct(description="Abd MIP cor"), "projection"),
        (ct(description="ThinMIP"), "projection"),
        (ct(image_type=("DERIVED", "SECONDARY", "PROJECTION IMAGE")), "projection"),
        (ct(description="Cor 3.0 MPR"), "reformat"),
        (ct(image_type=("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")), "reformat"),
        (ct(image_type=("DERIVED", "PRIMARY", "MPR")), "reformat"),
        (ct(description="COR 3x3", ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "axial slices"),
        (ct(description="VRT Thorax"), "rendering"),
        (ct(description="Fused PET CT"), "fusion made elsewhere"),
        (ct(own_output=True), "this node made it"),
        (ct(slices=2), "2 slices"),
        (make_series("1.9", "SR", slices=1), "no rule can use"),
        (make_series("1.9", "OT"), "no rule can use"),
        (pet(image_type=("ORIGINAL", "PRIMARY"), description="MIP"), "projection"),
        (pet(sop_class_uid=SECONDARY_CAPTURE), "not PT images"),
        (mr(description="localizer"), "localiser"),
        (mr(description="3-plane loc"), "localiser"),
        (mr(description="AAHScout"), "localiser"),
        (mr(description="Survey_SHC"), "localiser"),
        (mr(description="Ax T1 SUB"), "subtraction"),
        (mr(description="dyn_sub_2", image_type=("DERIVED", "PRIMARY", "M", "SUB")), "subtraction"),
        (mr(description="ep2d_diff_ADC", image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC")), "parameter map"),
        (mr(description="eADC"), "parameter map"),
        (mr(description="t1_mpr_cor", image_type=("DERIVED", "SECONDARY", "MPR", "CSA RESAMPLED")), "reformat"),
        (mr(description="SWI pha", image_type=("ORIGINAL", "PRIMARY", "P", "ND")), "phase"),
        (
            make_series("1.9", "NM", image_type=("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"), slices=1),
            "WHOLE BODY",
        ),
        (make_series("1.9", "NM", image_type=("ORIGINAL", "PRIMARY", "TOMO", "EMISSION"), slices=1), "TOMO"),
    ],
    ids=lambda value: (
        value.record.header.description or value.record.header.modality if isinstance(value, MadeSeries) else ""
    ),
)
def test_what_cannot_serve_says_why(series: MadeSeries, reason: str) -> None:
    assert reason in obstacle(series.record)


@pytest.mark.parametrize(
    "series",
    [
        ct(),
        ct(description="CT Low Dose WB 3.0"),
        ct(description="AC CT 5.0"),
        ct(image_type=("ORIGINAL", "SECONDARY", "AXIAL")),
        ct(ImageOrientationPatient=[1, 0, 0, 0, 0.866, -0.5]),  # a gantry tilt of 30 degrees
        pet(),
        pet(image_type=("DERIVED", "SECONDARY")),
        pet(description="[WB_CTAC] Body"),
        mr(description="t1_mprage_sag_p2_iso"),
        mr(description="t1_mpr_sag_p2_iso"),  # Siemens writes so for MPRAGE
        mr(image_type=("DERIVED", "PRIMARY", "AXIAL")),
        mr(sop_class_uid=ENHANCED_MR, slices=1, frames=96, description="anat-T1w_acq-tfl"),
        mr(description="", ScanningSequence="RM", image_type=("ORIGINAL", "PRIMARY", "MPR")),
        mr(description="Ax T1 FSE lumbar fusion follow-up"),
        make_series("1.9", "NM", image_type=("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"), slices=1, frames=64),
    ],
    ids=lambda series: series.record.header.description,
)
def test_what_can_serve_meets_no_obstacle(series: MadeSeries) -> None:
    assert obstacle(series.record) == ""


ATTN = ["NORM", "DTIM", "ATTN", "SCAT", "DECY"]
NO_ATTN = ["NORM", "DTIM", "SCAT", "DECY"]


@pytest.mark.parametrize(
    ("description", "units", "corrected", "expected"),
    [
        ("PET WB AC", "BQML", ATTN, Attenuation.CORRECTED),
        ("PET WB", "BQML", ATTN, Attenuation.CORRECTED),
        ("IBSI_1_STS_001_PET_image", "GML", ATTN, Attenuation.CORRECTED),
        ("[WB_CTAC] Body", "CNTS", ATTN, Attenuation.CORRECTED),
        ("PET AC 3D 256", "BQML", NO_ATTN, Attenuation.CORRECTED),
        ("PET WB", "CNTS", ATTN, Attenuation.UNKNOWN),
        ("PET WB", "", [], Attenuation.UNKNOWN),
        ("PET WB", "BQML", NO_ATTN, Attenuation.NOT_CORRECTED),
        ("PET WB NAC", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("WB_NoAC", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("[WB_NoAC] Body", "CNTS", ATTN, Attenuation.NOT_CORRECTED),
        ("PET Uncorrected", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("PET WB uncorr.", "PROPCPS", ATTN, Attenuation.NOT_CORRECTED),
        ("PET non-AC", "GML", ATTN, Attenuation.NOT_CORRECTED),
        ("PET (no attenuation correction)", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("PET not corrected", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("PET GK unkorrigiert", "BQML", ATTN, Attenuation.NOT_CORRECTED),
        ("MAC pet nacl study", "BQML", ATTN, Attenuation.CORRECTED),
    ],
)
def test_attenuation_is_read_from_description_units_and_corrections_together(
    description: str, units: str, corrected: list[str], expected: Attenuation
) -> None:
    series = pet(description=description, Units=units, CorrectedImage=corrected)
    assert attenuation_of(series.record.header).state is expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [("IRACSC Bone", Attenuation.CORRECTED), ("IRNC Bone", Attenuation.NOT_CORRECTED), ("FBP", Attenuation.UNKNOWN)],
)
def test_spect_says_it_in_the_description(description: str, expected: Attenuation) -> None:
    series = make_series("1.9", "NM", description=description)
    assert attenuation_of(series.record.header).state is expected


BARE: dict[str, Any] = {"ScanningSequence": "SE", "EchoTime": None, "RepetitionTime": None, "InversionTime": None}


@pytest.mark.parametrize(
    ("description", "header", "expected"),
    [
        ("t1_mprage_sag_p2_iso", {}, SequenceKind.T1),
        ("t1_mprage_sag_p2_iso_KM", {}, SequenceKind.T1_CONTRAST),
        ("Ax T1 +C", {}, SequenceKind.T1_CONTRAST),
        ("Ax T1 post gad", {}, SequenceKind.T1_CONTRAST),
        ("AX T1 PRE", {"ContrastBolusAgent": "Gadovist"}, SequenceKind.T1),
        ("T1 w/o", {"ContrastBolusAgent": "Gadovist"}, SequenceKind.T1),
        ("T1 TSE", {"ContrastBolusAgent": "Gadovist"}, SequenceKind.T1_CONTRAST),
        ("Sag 3D BRAVO", {}, SequenceKind.T1),
        ("T1W_3D_TFE", {}, SequenceKind.T1),
        ("T2W_TSE_AX", {}, SequenceKind.T2),
        ("t2_tirm_tra_dark-fluid", {}, SequenceKind.FLAIR),
        ("Ax T2 FLAIR", {}, SequenceKind.FLAIR),
        ("Ax T1 FLAIR", {}, SequenceKind.T1),
        ("STIR_cor", {}, SequenceKind.STIR),
        ("PD fs tra", {}, SequenceKind.PD),
        ("ep2d_diff_3scan_trace_p2_TRACEW", {}, SequenceKind.DIFFUSION),
        ("DWI b1000", {}, SequenceKind.DIFFUSION),
        ("ADC (10^-6 mm²/s)", {}, SequenceKind.PARAMETER_MAP),
        ("ep2d_bold_moco", {}, SequenceKind.EPI),
        ("fMRI rest", {}, SequenceKind.EPI),
        ("TOF_3D_multi-slab", {}, SequenceKind.ANGIOGRAPHY),
        ("t1_twist_dyn", {}, SequenceKind.DYNAMIC),
        ("DCE perfusion", {}, SequenceKind.DYNAMIC),
        ("SWI_Images", {}, SequenceKind.T2_STAR),
        ("Ax T1 SUB", {}, SequenceKind.SUBTRACTION),
        ("3-Plane Loc SSFSE", {}, SequenceKind.LOCALISER),
        # Nobody wrote anything: the parameters tell.
        ("", {"ScanningSequence": "SE", "EchoTime": 12, "RepetitionTime": 550}, SequenceKind.T1),
        ("", {"ScanningSequence": "SE", "EchoTime": 100, "RepetitionTime": 4500}, SequenceKind.T2),
        ("", {"ScanningSequence": "SE", "EchoTime": "12", "RepetitionTime": "4000"}, SequenceKind.PD),
        ("", {"ScanningSequence": ["SE", "IR"], "EchoTime": 394, "RepetitionTime": 6000, "InversionTime": 2200},
         SequenceKind.FLAIR),
        ("", {"ScanningSequence": "GR", "EchoTime": 3.164, "RepetitionTime": 8.9, "InversionTime": 900},
         SequenceKind.T1),
        ("", {"ScanningSequence": "IR", "EchoTime": 64, "RepetitionTime": 4414, "InversionTime": 140},
         SequenceKind.STIR),
        ("", {"ScanningSequence": "GR", "EchoTime": 2.46, "RepetitionTime": 300, "SequenceName": "*fl2d1"},
         SequenceKind.T1),
        ("", {"ScanningSequence": "GR", "EchoTime": 25, "RepetitionTime": 700}, SequenceKind.T2_STAR),
        ("", {"ScanningSequence": "EP", "EchoTime": 30, "RepetitionTime": 2000}, SequenceKind.EPI),
        ("", {"ScanningSequence": "EP", "DiffusionBValue": 1000}, SequenceKind.DIFFUSION),
        ("IBSI_1_STS_001_MR_T1_image", BARE, SequenceKind.T1),
        ("brain", BARE, SequenceKind.UNKNOWN),
        ("Epigastrium", BARE, SequenceKind.UNKNOWN),
    ],
)  # fmt: skip
def test_mr_sequences_are_told_apart(description: str, header: dict[str, Any], expected: SequenceKind) -> None:
    values = {**(BARE if description == "" else {}), **header}
    assert sequence_of(mr(description=description, **values).record.header).kind is expected
