"""The pages about cases: what they show, what a person decides there, and what an attacker puts into a header."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from dicomnode.encode import review_volumes
from storage.records import (
    CaseRecord,
    CaseResult,
    CaseState,
    FusionPlan,
    PatientIdentity,
    ReviewVolume,
    Role,
    SeriesHeader,
)
from storage.switches import PAUSE
from tests.fixtures.derived_case import build_case
from tests.fixtures.pages import Browser, Pages
from tests.fixtures.stored_records import case_result, derived_series, fusion_plan, instance_record

SCRIPT = "<script>alert(1)</script>"
SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture(scope="module")
def volumes() -> dict[str, bytes]:
    """The review volumes of a small pair."""
    return {volume.kind: volume.data for volume in review_volumes(build_case("PT"))}


def arrive(pages: Pages, plan: FusionPlan, name: str) -> None:
    """The series of the plan, received as from a patient of that name."""
    for choice in (plan.fixed, *plan.moving):
        series = SeriesHeader(
            choice.series_instance_uid, choice.modality, "1.2.840.10008.5.1.4.1.1.2", description=name
        )
        for number in (1, 2):
            record = instance_record(number, choice.series_instance_uid, series=series)
            patient = PatientIdentity(f"ID {name}", "HOSPITAL", name, "19700101", "F")
            pages.parts.catalogue.add_instance(replace(record, patient=patient), SOON)


def in_review(pages: Pages, volumes: dict[str, bytes], name: str = "Doe^Jane", key: str = "a") -> CaseRecord:
    """A case that waits for review, with its volumes in the store."""
    plan = fusion_plan(key, moving=fusion_plan(key).moving[:1], rule="PT on CT")
    arrive(pages, plan, name)
    cases = pages.parts.cases
    cases.open(plan, f"patient {key}", CaseState.QUEUED, "matched", "scheduler")
    claim = cases.claim("worker", 60, SOON)
    assert claim is not None
    report = {
        **case_result(verdict="review").reports[0],
        "reasons": [f"not sure {name}"],
        "registrar": "rigid",
        "notes": [],
        "error_bound_mm": 3.0,
        "measures": {"overlap_ratio": 0.91},
    }
    kept = tuple(ReviewVolume(0, kind, pages.parts.store.put(data)) for kind, data in volumes.items())
    result = CaseResult("review", (report,), (derived_series(),), kept)
    return cases.record_result(claim, result, CaseState.REVIEW, "verdict review", ())


def pixels(browser: Browser, path: str) -> np.ndarray:
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image.convert("RGB"))


def test_the_list_shows_and_finds(pages: Pages, volumes: dict[str, bytes]) -> None:
    browser = pages.someone(Role.VIEWER)
    assert "No case is like that" in browser.get("/").text
    one = in_review(pages, volumes, "Doe^Jane", "a")
    in_review(pages, volumes, "Roe^Richard", "b")
    everything = browser.get("/").text
    assert "Doe, Jane" in everything
    assert "Roe, Richard" in everything
    assert "PT" in everything
    for query in ("q=doe", "q=id+doe", f"q={one.case_id[:9]}", "state=review&q=Doe"):
        found = browser.get(f"/?{query}").text
        assert ("Doe, Jane" in found, "Roe, Richard" in found) == (True, False), query
    assert "Doe, Jane" not in browser.get("/?state=queued").text
    assert browser.get("/?state=nonsense").status_code == 422
    assert browser.get("/?at=0").status_code == 422
    assert "1–2 of 2" in everything


def test_a_case_says_why(pages: Pages, volumes: dict[str, bytes]) -> None:
    record = in_review(pages, volumes)
    text = pages.someone(Role.REVIEWER).get(f"/cases/{record.case_id}").text
    for said in (
        "not sure",
        "the only one",
        "within 72 h",
        "1.2 mm",
        "fused NOT FOR DIAGNOSTIC USE",
        "Approve and send",
    ):
        assert said in text, said
    assert "Approve and send" not in pages.someone(Role.VIEWER).get(f"/cases/{record.case_id}").text
    assert pages.someone(Role.VIEWER).get("/cases/ffffffffff").status_code == 404


def test_scripts_in_a_header_stay_text(pages: Pages, volumes: dict[str, bytes]) -> None:
    record = in_review(pages, volumes, f"{SCRIPT}^\"onload='x'")
    browser = pages.someone(Role.ADMINISTRATOR)
    uid = record.plan.fixed.series_instance_uid
    paths = ["/", f"/?q={SCRIPT}", f"/cases/{record.case_id}", "/series", f"/series?q={SCRIPT}", f"/series/{uid}"]
    paths += [f"/outbox?destination={SCRIPT}", f"/login?next={SCRIPT}", f"/cases/{SCRIPT}"]
    for path in paths:
        answer = browser.get(path)
        assert SCRIPT not in answer.text, path
        assert "\"onload='x'" not in answer.text, path
    assert "&lt;script&gt;" in browser.get(f"/cases/{record.case_id}").text


@pytest.mark.parametrize(
    ("what", "state"),
    [("approve", CaseState.DELIVERING), ("reject", CaseState.REJECTED), ("withdraw", CaseState.WITHDRAWN)],
)
def test_a_decision_carries_reason_and_name(
    pages: Pages, volumes: dict[str, bytes], what: str, state: CaseState
) -> None:
    record = in_review(pages, volumes)
    browser = pages.someone(Role.REVIEWER)
    assert browser.post(f"/cases/{record.case_id}/{what}", reason="").status_code == 422
    assert pages.parts.cases.get(record.case_id).state is CaseState.REVIEW
    assert browser.post(f"/cases/{record.case_id}/{what}", reason="looked at it").status_code == 303
    assert pages.parts.cases.get(record.case_id).state is state
    event = next(one for one in reversed(pages.parts.cases.events(record.case_id)) if one.actor == "Some reviewer")
    assert "looked at it" in event.cause
    assert browser.post(f"/cases/{record.case_id}/approve", reason="once more").status_code == 409


def test_a_rerun_takes_the_place_of_the_case(pages: Pages, volumes: dict[str, bytes]) -> None:
    record = in_review(pages, volumes)
    browser = pages.someone(Role.REVIEWER)
    path = f"/cases/{record.case_id}/rerun"
    points = [{"fixed": [0, 0, n * 20], "moving": [n, 5, n * 20]} for n in range(3)]
    for wrong in ("[]", "nonsense", json.dumps(points[:2]), json.dumps([{"fixed": [1], "moving": []}] * 3)):
        answer = browser.post(path, reason="the wrong side", recipe="default", landmarks=wrong)
        assert answer.status_code == 422, wrong
    assert browser.post(path, reason="the wrong side", recipe="unknown").status_code == 422
    answer = browser.post(path, reason="the wrong side", recipe="default", landmarks=json.dumps(points))
    assert answer.status_code == 303
    again = pages.parts.cases.get(answer.headers["location"].rpartition("/")[2])
    assert (again.state, pages.parts.cases.get(record.case_id).state) == (CaseState.QUEUED, CaseState.REPLACED)
    assert again.plan.recipe.registrar == "rigid"
    assert again.plan.recipe.registrar_parameters["landmarks"][1] == [[0, 0, 20], [1, 5, 20]]
    assert any("3 point pairs that Some reviewer set" in reason for reason in again.plan.reasons)
    assert browser.post(f"/cases/{again.case_id}/rerun", reason="no change", recipe="default").status_code == 303


def test_the_volumes_are_those_that_were_made(pages: Pages, volumes: dict[str, bytes]) -> None:
    record = in_review(pages, volumes)
    browser = pages.someone(Role.VIEWER)
    assert {"fixed", "moving", "moved", "fused", "edges"} <= set(volumes)
    for kind, data in volumes.items():
        answer = browser.get(f"/cases/{record.case_id}/volumes/0/{kind}.nii.gz")
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers.get("content-encoding") is None, "a browser would unpack it, and the viewer again"
    for path in ("1/fixed", "0/secret", "0/..%2f..%2fledger", "-1/fixed"):
        assert browser.get(f"/cases/{record.case_id}/volumes/{path}.nii.gz").status_code == 404, path


def test_slices_are_drawn_without_webgl(pages: Pages, volumes: dict[str, bytes]) -> None:
    record = in_review(pages, volumes)
    browser, base = pages.someone(Role.VIEWER), f"/cases/{record.case_id}/slices/0.png"
    fixed = pixels(browser, f"{base}?mode=fixed")
    assert fixed.max() > 200
    assert (fixed[..., 0] == fixed[..., 1]).all()
    overlay = pixels(browser, f"{base}?mode=overlay&opacity=0.8")
    assert (np.ptp(overlay.astype(int), axis=-1) > 40).any(), "the moved image is in colour"
    assert (pixels(browser, f"{base}?mode=overlay&opacity=0") == fixed).all()
    moved, before = (pixels(browser, f"{base}?mode=moved&before={word}") for word in ("false", "true"))
    assert (moved != before).any()
    for mode in ("fused", "contours", "checkerboard", "error"):
        for plane in ("axial", "coronal", "sagittal"):
            assert pixels(browser, f"{base}?mode={mode}&plane={plane}&at=0.4").size
    assert browser.get(f"{base}?mode=nonsense").status_code == 422
    assert browser.get(f"{base}?at=7").status_code == 422


def test_right_is_on_the_left_of_a_slice(pages: Pages, volumes: dict[str, bytes]) -> None:
    """The lesion of the generated head lies at x = +25 mm (left), y = -20 mm (front), z = +12 mm."""
    record = in_review(pages, volumes)
    shown = pixels(pages.someone(Role.VIEWER), f"/cases/{record.case_id}/slices/0.png?mode=moved&at=0.6")[..., 0]
    rows, columns = np.nonzero(shown > 0.9 * shown.max())
    assert columns.mean() > shown.shape[1] / 2
    assert rows.mean() < shown.shape[0] / 2


def test_the_pause_switch_stops_the_workers(pages: Pages) -> None:
    pages.parts.cases.open(fusion_plan("p"), "patient p", CaseState.QUEUED, "matched", "scheduler")
    administrator = pages.someone(Role.ADMINISTRATOR)
    assert administrator.post("/node/pause", on="true", reason="the disk is changed").status_code == 303
    assert "the disk is changed" in administrator.get("/").text
    assert pages.parts.cases.claim("worker", 60, SOON) is None
    assert pages.parts.switches.get(PAUSE).actor == "Some administrator"
    assert administrator.post("/node/pause", on="false", reason="it is changed").status_code == 303
    assert pages.parts.cases.claim("worker", 60, SOON) is not None


def test_a_rule_can_be_tried(pages: Pages) -> None:
    plan = fusion_plan("d")
    arrive(pages, plan, "Doe^Jane")
    catalogue = pages.parts.catalogue
    for choice in (plan.fixed, *plan.moving):
        catalogue.complete_series(choice.series_instance_uid, ["quiet"], SOON)
    browser = pages.someone(Role.VIEWER)
    assert "PT on CT" in browser.get("/rules").text
    tried = browser.get("/rules/dry-run?fixed=CT&moving=PT")
    assert tried.status_code == 200
    assert "series" in tried.text
    assert not pages.parts.cases.list()
    assert browser.get("/rules/dry-run?fixed=XX&moving=PT").status_code == 422
    assert browser.get("/rules/dry-run?fixed=CT&moving=PT&recipe=nonsense").status_code == 422


def test_a_peer_that_does_not_answer_is_said(pages: Pages) -> None:
    browser = pages.someone(Role.REVIEWER)
    assert "pacs" in browser.get("/node").text
    answer = browser.post("/node/peers/pacs/echo")
    assert (answer.status_code, "wrong" in answer.text) == (200, True)
    assert browser.post("/node/peers/nobody/echo").status_code == 404


def test_users_and_keys_are_made_and_taken_away(pages: Pages) -> None:
    browser = pages.someone(Role.ADMINISTRATOR)
    assert browser.post("/users", name="new one", role="viewer", password="short").status_code == 422
    assert browser.post("/users", name="new one", role="viewer", password="long enough for all").status_code == 303
    assert pages.visitor().log_in("New One", "long enough for all").status_code == 303
    assert browser.post("/users/new%20one/role", role="reviewer").status_code == 303
    assert pages.parts.people.get("new one").role is Role.REVIEWER
    assert browser.post("/users/new%20one/remove").status_code == 303
    assert browser.post("/users", name="\x00", role="viewer", password="long enough for all").status_code == 422
    answer = browser.post("/keys", name="script", role="viewer", scopes=["cases"], days="1")
    secret = answer.text.split('<code id="secret">')[1].split("<")[0]
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}
    assert pages.visitor().client.get("/", headers=headers).status_code == 200
    assert pages.visitor().client.get("/series", headers=headers).status_code == 403
    assert browser.post("/keys", name="other", role="viewer", scopes=["everything"]).status_code == 422
    assert browser.post("/keys/script/remove").status_code == 303
    assert pages.visitor().client.get("/", headers=headers).status_code == 401
