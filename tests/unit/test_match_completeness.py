"""When a series is held to be whole."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.match.completeness import Said, completeness, evidence
from storage.records import AnnouncedSeries, Announcements
from tests.fixtures.series_records import ENHANCED_MR, MadeSeries, ct, make_series, mr, pet, with_instances

QUIET_S = 30.0


def judge(series: MadeSeries, after_s: float) -> tuple[bool, tuple[str, ...]]:
    now = series.record.last_received_at + timedelta(seconds=after_s)
    found = completeness(series.record, series.instances, QUIET_S, now)
    return found.complete, found.evidence


def test_nothing_is_complete_before_its_quiet_time() -> None:
    assert judge(ct(ImagesInAcquisition=40), 29.9)[0] is False
    assert judge(ct(ImagesInAcquisition=40), 30.0)[0] is True


def test_what_is_all_there_says_so() -> None:
    complete, sentences = judge(ct(ImagesInAcquisition="40"), 31)
    assert complete
    assert sentences == (
        "all 40 of 40 instances (ImagesInAcquisition)",
        "no gaps between slices of 3 mm",
        "nothing came for 30 s",
    )


def test_a_short_count_is_waited_for_and_then_taken_as_it_is() -> None:
    series = ct(ImagesInAcquisition=50)
    assert judge(series, 31)[0] is False
    assert judge(series, 89)[0] is False
    complete, sentences = judge(series, 90)
    assert complete
    assert "only 40 of 50 instances (ImagesInAcquisition)" in sentences
    assert "nothing came for 90 s, so it is taken as it is" in sentences


def test_a_gap_between_slices_is_waited_for() -> None:
    whole = ct()
    series = with_instances(whole, [one for one in whole.instances if one.position not in (30.0, 33.0)])
    assert judge(series, 31)[0] is False
    complete, sentences = judge(series, 90)
    assert complete
    assert "2 slices seem to be missing between the others" in sentences


@pytest.mark.parametrize(
    ("series", "whole", "sentence"),
    [
        (pet(slices=59, NumberOfSlices=59, SeriesType=["STATIC", "IMAGE"]), True, "all 59 of 59"),
        (pet(slices=59, NumberOfSlices=60, SeriesType=["WHOLE BODY", "IMAGE"]), False, "only 59 of 60"),
        (
            pet(
                positions=[3.0 * i for i in range(20)] * 4,
                NumberOfSlices=20,
                NumberOfTimeSlices=5,
                SeriesType="DYNAMIC",
            ),
            False,
            "only 80 of 100",
        ),
        (
            pet(
                positions=[3.0 * i for i in range(20)] * 8,
                NumberOfSlices=20,
                NumberOfRRIntervals=1,
                NumberOfTimeSlots=8,
                SeriesType=["GATED", "IMAGE"],
            ),
            True,
            "all 160 of 160",
        ),
        (ct(ImagesInAcquisition=20), True, "40 instances, 20 were announced"),
        (ct(), True, "40 instances, no count announced"),
        (ct(NumberOfSeriesRelatedInstances=41, ImagesInAcquisition=40), False, "only 40 of 41"),
        (
            mr(sop_class_uid=ENHANCED_MR, positions=[None], frames=96, ImagesInAcquisition=96),
            True,
            "1 multi-frame instance with 96 frames",
        ),
        (
            mr(sop_class_uid=ENHANCED_MR, positions=[None, None], frames=48, InConcatenationTotalNumber=3),
            False,
            "only 2 of 3",
        ),
        (make_series("1.9", "NM", positions=[None], frames=64, NumberOfSlices=64), True, "1 multi-frame instance"),
    ],
)  # fmt: skip
def test_announced_counts(series: MadeSeries, whole: bool, sentence: str) -> None:
    found = evidence(series.record, series.instances)
    assert found.whole is whole
    assert sentence in " ".join(found.sentences)


@pytest.mark.parametrize("nonsense", ["", "x", [], 0, -3, "nan"])
def test_a_nonsensical_count_announces_nothing(nonsense: Any) -> None:
    assert evidence(ct(ImagesInAcquisition=nonsense).record, ct().instances).whole


@given(st.sets(st.integers(0, 39), min_size=1), st.floats(0, 200), st.sampled_from([None, 40, 45]))
def test_every_series_is_complete_in_the_end_and_never_too_early(
    kept: set[int], after_s: float, count: int | None
) -> None:
    whole = ct(ImagesInAcquisition=count)
    series = with_instances(whole, [whole.instances[index] for index in sorted(kept)])
    complete, _ = judge(series, after_s)
    if after_s < QUIET_S:
        assert not complete
    if after_s >= 3 * QUIET_S:
        assert complete


def listed(series: MadeSeries, count: int, state: str = "COMPLETED", kind: str = "MPPS") -> AnnouncedSeries:
    uids = [one.sop_instance_uid for one in series.instances]
    more = [f"1.9.{number}" for number in range(count - len(uids))]
    return AnnouncedSeries(kind, state, frozenset([*uids, *more][:count]), series.record.last_received_at)


def heard(series: MadeSeries, after_s: float, said: Said) -> tuple[bool, tuple[str, ...]]:
    now = series.record.last_received_at + timedelta(seconds=after_s)
    found = completeness(series.record, series.instances, QUIET_S, now, said)
    return found.complete, found.evidence


def test_the_modality_knows_better_than_the_headers() -> None:
    series = ct(ImagesInAcquisition=60)
    said = Said(Announcements((listed(series, 40),)))
    complete, sentences = heard(series, 0.1, said)
    assert complete
    assert sentences[:2] == (
        "all 40 instances that are listed (MPPS, completed)",
        "only 40 of 60 instances (ImagesInAcquisition)",
    )
    notified = Said(Announcements((listed(series, 40, "available", "IAN"),)))
    assert not heard(series, 0.1, notified)[0], "an archive may have told of what it had by then"


def test_a_count_at_the_sender_is_waited_for_and_then_given_up() -> None:
    said = Said(count=50, wait_s=600)
    assert not heard(ct(), 599, said)[0]
    complete, sentences = heard(ct(), 600, said)
    assert complete
    assert sentences[0] == "only 40 of 50 instances at its sender (C-FIND)"
    assert heard(ct(), 30, Said(count=40))[1][0] == "all 40 of 40 instances at its sender (C-FIND)"
    assert not heard(ct(), 29, Said(count=40))[0], "that alone does not end the quiet time"


def test_a_step_that_goes_on_is_waited_for_until_it_lists_the_series() -> None:
    series = ct()
    assert not heard(series, 31, Said(Announcements((), 1)))[0]
    assert heard(series, 1801, Said(Announcements((), 1)))[0]
    assert heard(series, 1, Said(Announcements((listed(series, 40),), 1)))[0]
