"""Which series of a modality serves, and what is said about the others."""

from itertools import permutations

import pytest

from dicomnode.match.selection import Selection, select
from tests.fixtures.series_records import ENHANCED_MR, MadeSeries, ct, lookup, mr, pet

NAC = {"description": "PET WB NAC", "series_number": "3"}
LATER = {"AcquisitionNumber": 2}


def choose(*series: MadeSeries) -> Selection:
    """The selection, the same for any order of the candidates."""
    held = lookup(*series)
    first, *others = [select([one.record for one in order], held.__getitem__) for order in permutations(series)]
    assert all(other == first for other in others)
    return first


@pytest.mark.parametrize(
    ("better", "worse", "reason"),
    [
        (pet("1.1"), pet("1.2", **NAC), "not attenuation-corrected (the description says NAC)"),
        (pet("1.1", slices=30), pet("1.2", slices=60, **NAC), "not attenuation-corrected"),
        (
            pet("1.1", image_type=("DERIVED", "SECONDARY")),
            pet("1.2", image_type=("ORIGINAL", "PRIMARY"), **NAC),
            "not attenuation-corrected",
        ),
        (pet("1.1"), pet("1.2", description="PET WB", Units="CNTS"), "not known to be attenuation-corrected"),
        (pet("1.1", slices=20), pet("1.2", positions=[3.0 * i for i in range(20)] * 6), "it has 6 phases"),
        (pet("1.1", slices=20), pet("1.2", SeriesType=["GATED", "IMAGE"]), "gated"),
        (
            pet("1.1", slices=30, spacing_mm=4.0),
            pet("1.2", slices=60, spacing_mm=2.0, image_type=("DERIVED", "SECONDARY")),
            "DERIVED, and an ORIGINAL of the same acquisition",
        ),
        (pet("1.1", slices=60, image_type=("DERIVED", "PRIMARY")), pet("1.2", slices=20), "covers less, 60 mm"),
        (
            ct("1.1", spacing_mm=5.0, slices=24),
            ct("1.2", ConvolutionKernel="B70f", spacing_mm=1.0, slices=120),
            "sharp",
        ),
        (
            ct("1.1", spacing_mm=5.0, slices=24),
            ct("1.2", ConvolutionKernel="", description="LUNG 1.0", spacing_mm=1.0, slices=120),
            "sharp",
        ),
        (
            pet("1.1", slices=60, image_type=("DERIVED", "SECONDARY"), **LATER),
            pet("1.2", slices=20),
            "it covers less, 60 mm",
        ),
        (ct("1.1", slices=80), ct("1.2", slices=40), "it covers less, 120 mm"),
        (ct("1.1", slices=120, spacing_mm=1.0), ct("1.2", slices=40), "slices are farther apart, 3 mm"),
        (ct("1.1"), ct("1.2", PixelSpacing=[1.5, 1.5]), "pixels are coarser, 1.5 mm"),
        (ct("1.1"), ct("1.2", ConvolutionKernel=["B70f", "3"]), "kernel is a sharp one"),
        (ct("1.1", ConvolutionKernel="STANDARD"), ct("1.2", ConvolutionKernel="BONEPLUS"), "sharp"),
        (ct("1.1", ConvolutionKernel="Br40"), ct("1.2", ConvolutionKernel="Br64"), "sharp"),
        (ct("1.1", **LATER), ct("1.2", AcquisitionNumber=1), "an earlier acquisition"),
        (ct("1.1", series_number="2"), ct("1.2", series_number="11"), "a higher series number"),
        (mr("1.1", description="t1_mprage KM"), mr("1.2", description="t1_mprage"), "T1 (the description says"),
        (mr("1.1"), mr("1.2", description="t2_tse_tra"), "T2 (the description says T2)"),
        (mr("1.1"), mr("1.2", description="ep2d_bold_moco", slices=400), "echo-planar"),
        (mr("1.1", description="t2_space"), mr("1.2", description="TOF_3D"), "angiography"),
        (mr("1.1", description="t2_space"), mr("1.2", description="ep2d_diff_TRACEW"), "diffusion"),
        (
            mr("1.1", sop_class_uid=ENHANCED_MR, positions=[None], frames=176, SliceThickness=1.0),
            mr("1.2", slices=30, spacing_mm=5.0),
            "covers less",
        ),
    ],
)
def test_the_better_series_wins_and_the_reason_is_kept(better: MadeSeries, worse: MadeSeries, reason: str) -> None:
    selection = choose(better, worse)
    assert selection.series is better.record
    lost = next(sentence for sentence in selection.reasons if sentence.startswith("not "))
    assert worse.uid in lost
    assert reason in lost


def test_a_derived_series_without_an_original_serves() -> None:
    selection = choose(mr("1.1", image_type=("DERIVED", "PRIMARY", "AXIAL")))
    assert any("no ORIGINAL series of the same acquisition" in reason for reason in selection.reasons)


@pytest.mark.parametrize("slice_by_slice", [True, False], ids=["slice by slice", "phase by phase"])
def test_of_a_dynamic_series_one_phase_is_used(slice_by_slice: bool) -> None:
    places, phases = [0.0, 3.0, 6.0, 9.0], 3
    if slice_by_slice:
        positions = [place for place in places for _ in range(phases)]
        last = {"1.1.3", "1.1.6", "1.1.9", "1.1.12"}
    else:
        positions = places * phases
        last = {"1.1.9", "1.1.10", "1.1.11", "1.1.12"}
    selection = choose(mr("1.1", positions=positions))
    assert {instance.sop_instance_uid for instance in selection.instances} == last
    assert "of its 3 phases the last is used" in selection.reasons


def test_of_a_dynamic_series_that_was_cut_short_the_last_whole_phase_is_used() -> None:
    selection = choose(mr("1.1", positions=[0.0, 3.0, 6.0, 0.0, 3.0, 6.0, 0.0]))
    assert [instance.sop_instance_uid for instance in selection.instances] == ["1.1.4", "1.1.5", "1.1.6"]


def test_duplicates_of_some_positions_are_left_out() -> None:
    selection = choose(ct("1.1", positions=[0.0, 3.0, 3.0, 6.0, 9.0]))
    assert [instance.position for instance in selection.instances] == pytest.approx([0.0, 3.0, 6.0, 9.0])


def test_many_series_at_once_each_get_their_reason() -> None:
    best = pet("1.1", slices=80)
    others = [pet("1.2", **NAC), pet("1.3"), pet("1.4", slices=80, PixelSpacing=[8.0, 8.0])]
    selection = choose(best, *others)
    assert selection.series is best.record
    assert [reason.partition(":")[2].strip() for reason in selection.reasons if reason.startswith("not ")] == [
        "its pixels are coarser, 8 mm",
        "it covers less, 120 mm",
        "not attenuation-corrected (the description says NAC)",
    ]
