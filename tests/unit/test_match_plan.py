"""From complete series to plans: pairing, filing, identity by Frame of Reference, doubts, and what is waited for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomnode.errors import DifferentPatientsError
from dicomnode.match import MatchDecision, Matching, check_pair, explain, match, plan_for
from dicomnode.settings import RuleSettings, Settings
from storage.records import CaseState
from tests.fixtures.series_records import ADA, MONDAY, MadeSeries, ct, lookup, mr, pet

PETCT: dict[str, Any] = {"name": "petct", "fixed": "CT", "moving": ["PT"]}
CTMR: dict[str, Any] = {"name": "ctmr", "fixed": "CT", "moving": ["MR"]}
TRIPLE: dict[str, Any] = {"name": "triple", "fixed": "CT", "moving": ["PT", "MR"]}


def node(*rules: dict[str, Any], **sections: Any) -> Settings:
    return Settings(rules=tuple(RuleSettings(**rule) for rule in rules), **sections)


def matching(configured: Settings, newest: MadeSeries, *others: MadeSeries) -> Matching:
    held = lookup(newest, *others)
    return match(newest.record, [one.record for one in (newest, *others)], held.__getitem__, configured)


def decide(configured: Settings, newest: MadeSeries, *others: MadeSeries) -> tuple[MatchDecision, ...]:
    held = lookup(newest, *others)
    return plan_for(newest.record, [one.record for one in (newest, *others)], held.__getitem__, configured)


def test_a_pet_ct_becomes_a_plan_with_identity_as_default() -> None:
    (decision,) = decide(node(PETCT), pet(), ct())
    plan = decision.plan
    assert decision.state is CaseState.QUEUED
    assert (plan.fixed.modality, plan.moving[0].modality) == ("CT", "PT")
    assert plan.fixed.sop_instance_uids == tuple(f"1.3.1.{number}" for number in range(1, 41))
    assert plan.identity_is_default == (True,)
    assert plan.file_in_study_uid == "1.2.1"
    assert plan.recipe.name == "default"
    text = " | ".join((*plan.reasons, *plan.fixed.reasons, *plan.moving[0].reasons))
    for said in (
        "rule 'petct'",
        "40 images over 120 mm",
        "attenuation-corrected",
        "birth date and name agree",
        "identity",
    ):
        assert said in text


def test_names_and_ids_are_in_no_reason() -> None:
    (decision,) = decide(node(PETCT), pet(), ct(), pet("1.3.9", description="PET NAC"))
    said = repr((decision.plan.reasons, decision.plan.fixed.reasons, decision.plan.moving[0].reasons, decision.cause))
    assert not any(value in said.upper() for value in ("LOVELACE", "4711", "19151210"))


def test_the_triggering_series_can_be_any_of_the_plan() -> None:
    by_pet, by_ct = decide(node(PETCT), pet(), ct()), decide(node(PETCT), ct(), pet())
    assert by_pet == by_ct


def test_several_moving_modalities_are_one_plan_and_waited_for() -> None:
    assert decide(node(TRIPLE), pet(), ct()) == ()
    (waiting,) = matching(node(TRIPLE), pet(), ct()).waiting
    assert "no MR series of this patient" in waiting
    (decision,) = decide(node(TRIPLE), mr(), pet(), ct())
    assert [choice.modality for choice in decision.plan.moving] == ["PT", "MR"]
    assert decision.plan.identity_is_default == (True, False)


def test_the_same_frame_of_reference_of_other_days_is_registered() -> None:
    late = mr(study="1.2.1", frame="1.2.9", acquired_at=MONDAY - timedelta(days=4), ManufacturerModelName="Biograph")
    (decision,) = decide(node(CTMR | {"window_hours": 720}), late, ct())
    assert decision.plan.identity_is_default == (False,)
    assert any("4 days apart, so not in one examination" in reason for reason in decision.plan.moving[0].reasons)


@pytest.mark.parametrize(
    ("changes", "default", "reason"),
    [
        ({}, True, "identity is the default"),
        ({"frame": ""}, False, "another Frame of Reference"),
        ({"frame": "1.2.77"}, False, "another Frame of Reference"),
        ({"ManufacturerModelName": "Avanto"}, False, "different scanners"),
        ({"acquired_at": MONDAY.replace(hour=12, minute=0)}, True, "identity"),  # noon stands for "some time that day"
        ({"acquired_at": MONDAY + timedelta(hours=5)}, False, "5 h apart"),
        ({"study": "1.2.5"}, True, "identity"),  # the two halves of a hybrid are in two studies on some systems
        ({"acquired_at": None, "study_date": "", "ManufacturerModelName": ""}, True, "identity"),
    ],
)
def test_a_shared_frame_of_reference_is_believed_within_one_examination(
    changes: dict[str, Any], default: bool, reason: str
) -> None:
    (decision,) = decide(node(PETCT), pet(**changes), ct())
    assert decision.plan.identity_is_default == (default,)
    assert any(reason in sentence for sentence in decision.plan.moving[0].reasons)


def test_the_window_is_on_the_time_of_acquisition() -> None:
    rule = CTMR | {"window_hours": 24}
    near, far = mr(acquired_at=MONDAY + timedelta(hours=24)), mr(acquired_at=MONDAY + timedelta(hours=24, minutes=1))
    assert len(decide(node(rule), near, ct())) == 1
    assert decide(node(rule), far, ct()) == ()
    assert "24.0 h apart, the rule allows 24 h" in explain(far.record, [ct().record], node(rule))[0]


def test_without_an_acquisition_time_series_and_study_dates_serve() -> None:
    undated = mr(acquired_at=None, study_date="20240306", study_time="")
    assert len(decide(node(CTMR | {"window_hours": 48}), undated, ct())) == 1
    assert decide(node(CTMR | {"window_hours": 36}), undated, ct()) == ()
    by_series = mr(acquired_at=None, study_date="20240405", SeriesDate="20240305", SeriesTime="101500.5")
    assert len(decide(node(CTMR | {"window_hours": 25}), by_series, ct())) == 1


@pytest.mark.parametrize(("setting", "study"), [("triggering", "1.2.2"), ("fixed", "1.2.1")])
def test_where_results_are_filed_is_a_setting(setting: str, study: str) -> None:
    configured = node(CTMR, matching={"file_in": setting})
    assert decide(configured, mr(), ct())[0].plan.file_in_study_uid == study
    assert decide(configured, ct(), mr())[0].plan.file_in_study_uid == study


def test_an_identity_in_doubt_is_quarantined_with_its_reason() -> None:
    married = replace(ADA, name="KING^ADA", birth_date="")
    (decision,) = decide(node(CTMR), mr(patient=married), ct())
    assert decision.state is CaseState.QUARANTINED
    assert "name disagree" in decision.cause


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "CLINIC", "name": "BYRON^ADA"},
        {"patient_id": "4712", "birth_date": ""},
        {"patient_id": "4712", "sex": "M"},
        {"patient_id": ""},
    ],
)
def test_different_patients_make_no_plan(change: dict[str, str]) -> None:
    assert decide(node(CTMR), mr(patient=replace(ADA, **change)), ct()) == ()


def test_a_certain_identity_comes_before_a_doubtful_one() -> None:
    doubtful = mr("1.4.1", patient=replace(ADA, sex="M"), slices=400, study="1.2.8")
    (decision,) = [one for one in decide(node(CTMR), ct(), mr("1.4.2"), doubtful) if one.state is CaseState.QUEUED]
    assert decision.plan.moving[0].series_instance_uid == "1.4.2"


def test_each_examination_gets_its_nearest_partner() -> None:
    days = [MONDAY, MONDAY + timedelta(days=2)]
    cts = [ct(f"1.5.{n}", study=f"1.2.{n}", acquired_at=day) for n, day in enumerate(days)]
    pets = [pet(f"1.6.{n}", study=f"1.2.{n}", acquired_at=day) for n, day in enumerate(days)]
    for n in (0, 1):
        (decision,) = decide(node(PETCT), pets[n], *cts, pets[1 - n])
        assert decision.plan.series_instance_uids == (f"1.5.{n}", f"1.6.{n}")


def test_a_rule_for_a_body_part_takes_only_what_shows_it() -> None:
    rule = CTMR | {"body_part": "HEAD"}
    assert len(decide(node(rule), mr(body_part="BRAIN"), ct())) == 1
    assert decide(node(rule), mr(body_part="KNEE"), ct()) == ()
    assert decide(node(rule), mr(), ct()) == ()
    assert len(decide(node(rule), mr(body_part="BRAIN"), ct(body_part="HEADNECK"))) == 1


def test_a_chest_is_not_fused_with_a_head() -> None:
    assert decide(node(CTMR), mr(body_part="BRAIN"), ct(body_part="CHEST")) == ()
    assert len(decide(node(CTMR), mr(body_part="BRAIN"), ct(body_part="WHOLEBODY"))) == 1
    chest, head = ct("1.5.1", body_part="CHEST", slices=100), ct("1.5.2", body_part="HEAD", slices=40)
    (decision,) = decide(node(CTMR), mr(body_part="BRAIN"), chest, head)
    assert decision.plan.fixed.series_instance_uid == "1.5.2"


def test_what_cannot_serve_is_explained() -> None:
    (sentence,) = explain(mr(description="localizer").record, [ct().record], node(CTMR))
    assert "localiser" in sentence
    (sentence,) = explain(pet().record, [ct().record], node(CTMR))
    assert "the rule uses CT, MR" in sentence


def test_late_slices_make_another_plan() -> None:
    (before,) = decide(node(PETCT), pet(slices=39), ct())
    (after,) = decide(node(PETCT), pet(slices=40), ct())
    assert before.plan.key != after.plan.key


def test_a_pair_of_two_patients_is_refused_unless_that_is_allowed() -> None:
    other = mr(patient=replace(ADA, patient_id="1"))
    with pytest.raises(DifferentPatientsError, match="--allow-different-patients"):
        check_pair(ct().record, other.record)
    (warning,) = check_pair(ct().record, other.record, allow_different_patients=True)
    assert "the patient IDs differ" in warning
    with pytest.raises(DifferentPatientsError, match="birth date and name disagree"):
        check_pair(ct().record, mr(patient=replace(ADA, name="A", birth_date="19500101")).record)


def test_files_without_an_id_are_a_warning() -> None:
    nobody = replace(ADA, patient_id="", name="", birth_date="")
    (warning,) = check_pair(ct(patient=nobody).record, mr(patient=nobody).record)
    assert "the patient is not certain" in warning


@pytest.mark.parametrize(
    ("moving", "warning"),
    [
        (mr(description="localizer"), "no rule would choose the moving series: a localiser"),
        (pet(description="PET NAC"), "the moving series is not attenuation-corrected"),
        (mr(body_part="KNEE"), "the body parts differ"),
        (mr(frame="1.2.9"), "24 h apart, so not in one examination"),
        (ct(), "fixed and moving are the same series"),
    ],
)
def test_a_pair_that_no_rule_would_choose_is_warned_of(moving: MadeSeries, warning: str) -> None:
    assert any(warning in sentence for sentence in check_pair(ct(body_part="HEAD").record, moving.record))


def test_a_good_pair_has_no_warnings() -> None:
    assert check_pair(ct().record, pet().record) == ()


CHANGES: list[dict[str, Any]] = [
    {},
    {"slices": 5},
    {"description": "NAC"},
    {"description": "localizer"},
    {"image_type": ("DERIVED", "SECONDARY")},
    {"patient": replace(ADA, birth_date="", name="")},
    {"patient": replace(ADA, issuer="CLINIC")},
]
SERIES = st.lists(
    st.builds(
        lambda kind, study, day, changes: kind(
            **{"study": f"1.2.{study}", "acquired_at": MONDAY + timedelta(days=day, hours=study), "slices": 4} | changes
        ),
        st.sampled_from([ct, pet, mr]),
        st.integers(1, 3),
        st.integers(0, 6),
        st.sampled_from(CHANGES),
    ),
    max_size=8,
)


@settings(max_examples=100)
@given(SERIES, st.randoms(use_true_random=False))
def test_the_plans_depend_on_what_is_there_and_not_on_its_order(made: list[MadeSeries], random: Any) -> None:
    named = [rename(series, f"1.7.{n}") for n, series in enumerate(made)]
    shuffled = random.sample(named, len(named))
    configured = node(PETCT, CTMR, TRIPLE)
    held = lookup(*named)
    for newest in named:
        plans = [
            plan_for(newest.record, [one.record for one in order], held.__getitem__, configured)
            for order in (named, shuffled)
        ]
        assert plans[0] == plans[1]
        for decision in plans[0]:
            assert len(set(decision.plan.series_instance_uids)) == 1 + len(decision.plan.moving)


def rename(series: MadeSeries, uid: str) -> MadeSeries:
    header = replace(series.record.header, series_instance_uid=uid)
    instances = tuple(
        replace(one, sop_instance_uid=f"{uid}.{n}", series=header) for n, one in enumerate(series.instances)
    )
    return MadeSeries(replace(series.record, header=header), instances)
