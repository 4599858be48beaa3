"""Commands on the ledger: of nobody, of a node that has done nothing, and of one with a case."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import head_revision
from storage.outbox import Outbox
from storage.records import CaseState
from storage.session import Database
from tests.fixtures.command_line import Command
from tests.fixtures.stored_records import PATIENT, case_result, derived_series, fusion_plan, instance_record

NOW = datetime(2026, 1, 13, 10, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path, dicomnode: Command) -> Path:
    """The settings of a node with an empty ledger."""
    path = tmp_path / "node.toml"
    path.write_text(
        f'[storage]\npath = "{tmp_path / "data"}"\nreserve_bytes = 0\n[node]\nport = 1\n'
        '[peers.pacs]\nae_title = "PACS"\nport = 1\n[peers.petct]\nae_title = "PETCT1"\nport = 1\n'
        '[[rules]]\nname = "PET/CT"\nfixed = "CT"\nmoving = ["PT", "MR"]\ndestinations = ["pacs"]\n',
        encoding="utf-8",
    )
    assert dicomnode("migrate", "--config", path).code == 0
    return path


@pytest.fixture
def reviewed(config: Path, tmp_path: Path) -> str:
    """A case in review with a result, below `config`."""
    database = Database(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    cases = Cases(database)
    case, _ = cases.open(fusion_plan(), "patient", CaseState.QUEUED, "matched", "scheduler")
    claim = cases.claim("worker", 60, NOW)
    assert claim is not None
    result = case_result(derived_series(), verdict="review")
    cases.record_result(claim, result, CaseState.REVIEW, "verdict review: good", ())
    database.dispose()
    return case.case_id


@pytest.mark.parametrize("command", [["cases"], ["cases", "list"], ["cases", "show", "abcdef"], ["series"]])
def test_asking_about_a_ledger_that_is_not_there_does_not_make_it(
    dicomnode: Command, tmp_path: Path, command: list[str]
) -> None:
    answer = dicomnode(*command)
    assert answer.code == 1
    assert "there is no ledger at dicomnode-data/ledger.sqlite" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_of_an_empty_place_says_what_makes_one(dicomnode: Command, tmp_path: Path) -> None:
    answer = dicomnode("doctor", "--json")
    assert answer.code == 1
    assert answer.values["good"] is False
    by_check = {finding["check"]: finding for finding in answer.values["findings"]}
    assert by_check["settings"]["good"]
    assert by_check["recipe default"]["good"]
    assert "`dicomnode serve` makes it" in by_check["storage"]["detail"]
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_of_a_node_that_does_not_run(dicomnode: Command, config: Path) -> None:
    answer = dicomnode("doctor", "--verify", "--json", "--config", config)
    assert answer.code == 1
    findings = {finding["check"]: finding["good"] for finding in answer.values["findings"]}
    assert [check for check, good in findings.items() if not good] == ["node", "peer pacs"]
    assert findings["peer petct"], "a scanner that only sends need not listen"
    table = dicomnode("doctor", "--config", config)
    assert "no association with PACS@127.0.0.1:1" in table.stdout
    assert table.stderr == ""


def test_the_doctor_finds_a_recipe_that_cannot_run(dicomnode: Command, config: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write('[recipes.x]\nregistrar = "rigd"\n')
    answer = dicomnode("doctor", "--json", "--config", config)
    by_check = {finding["check"]: finding for finding in answer.values["findings"]}
    assert not by_check["recipe x"]["good"]
    assert "known are affine, auto" in by_check["recipe x"]["detail"]


def test_migrate_goes_up_and_down(dicomnode: Command, config: Path) -> None:
    head = head_revision()
    assert dicomnode("migrate", "--json", "--config", config).values == {"before": head, "after": head, "head": head}
    down = dicomnode("migrate", "--down", "--to", "base", "--json", "--config", config)
    assert down.values == {"before": head, "after": None, "head": head}
    assert "migrate" in dicomnode("cases", "--config", config).stderr
    assert dicomnode("migrate", "--config", config).stdout == f"the ledger went from nothing to {head}\n"
    unknown = dicomnode("migrate", "--to", "9999", "--config", config)
    assert (unknown.code, unknown.stderr.count("\n")) == (1, 1)
    assert head in unknown.stderr


def test_an_empty_ledger_has_no_cases_and_no_series(dicomnode: Command, config: Path) -> None:
    assert dicomnode("cases", "--json", "--config", config).values == {"cases": []}
    assert dicomnode("cases", "list", "--state", "review", "--json", "--config", config).values == {"cases": []}
    assert dicomnode("series", "--json", "--config", config).values == {"series": []}
    assert dicomnode("cases", "--config", config).code == dicomnode("series", "--config", config).code == 0
    unknown = dicomnode("cases", "show", "abcdef", "--config", config)
    assert unknown.code == 1
    assert "abcdef" in unknown.stderr


def test_the_configuration_may_be_named_by_the_environment(
    dicomnode: Command, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMNODE_CONFIG", str(config))
    assert dicomnode("cases", "--json").values == {"cases": []}


def test_series_say_why_they_are_complete_and_nothing_of_the_patient(
    dicomnode: Command, config: Path, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    catalogue = Catalogue(database)
    instance = instance_record()
    catalogue.add_instance(instance, NOW)
    catalogue.complete_series("1.2.3.4", ("nothing came for 30 s",), instance.received_at)
    database.dispose()
    (series,) = dicomnode("series", "--json", "--config", config).values["series"]
    assert (series["modality"], series["state"], series["instances"]) == ("CT", "complete", 1)
    assert series["evidence"] == ["nothing came for 30 s"]
    table = dicomnode("series", "--config", config).stdout
    assert "nothing came for 30 s" in table
    assert "1.2.3.4" in table
    for value in (PATIENT.name, PATIENT.patient_id, PATIENT.birth_date):
        assert value not in table + str(series)


def test_a_case_is_listed_and_shown_with_its_reasons(dicomnode: Command, config: Path, reviewed: str) -> None:
    (listed,) = dicomnode("cases", "--json", "--config", config).values["cases"]
    assert (listed["case_id"], listed["state"], listed["verdict"]) == (reviewed, "review", "review")
    shown = dicomnode("cases", "show", reviewed[:8], "--json", "--config", config).values
    assert [event["to"] for event in shown["events"]] == ["queued", "running", "review"]
    assert shown["reasons"] == ["within 72 h"]
    assert shown["fixed"]["reasons"] == ["the only one"]
    assert [choice["modality"] for choice in shown["moving"]] == ["PT", "MR"]


def test_a_reviewed_case_is_approved_by_name_and_its_series_wait_for_the_pacs(
    dicomnode: Command, config: Path, reviewed: str, tmp_path: Path
) -> None:
    answer = dicomnode(
        "cases", "approve", reviewed[:8], "--reason", "looked at", "--as", "Dr. Roe", "--json", "--config", config
    )
    assert answer.values == {"case_id": reviewed, "state": "delivering"}
    shown = dicomnode("cases", "show", reviewed, "--json", "--config", config).values
    assert (shown["events"][-1]["actor"], shown["events"][-1]["cause"]) == ("Dr. Roe", "looked at")
    (delivery,) = shown["deliveries"]
    assert (delivery["destination"], delivery["state"]) == ("pacs", "pending")
    again = dicomnode("cases", "approve", reviewed, "--reason", "once more", "--config", config)
    assert again.code == 1
    assert "delivering" in again.stderr
    database = Database(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    assert len(Outbox(database).of_case(reviewed)) == 1
    database.dispose()


def test_options_may_stand_before_the_subcommand(dicomnode: Command, config: Path, reviewed: str) -> None:
    (listed,) = dicomnode("cases", "--config", config, "--json", "list").values["cases"]
    assert listed["case_id"] == reviewed


@pytest.mark.parametrize(("command", "state"), [("reject", "rejected"), ("withdraw", "withdrawn"), ("retry", "queued")])
def test_the_other_decisions(dicomnode: Command, config: Path, reviewed: str, command: str, state: str) -> None:
    answer = dicomnode("cases", command, reviewed, "--reason", "decided", "--config", config)
    assert answer.stdout == f"{reviewed} is now {state}\n"


def test_a_state_that_does_not_lead_there_is_1_and_says_so(dicomnode: Command, config: Path, reviewed: str) -> None:
    dicomnode("cases", "reject", reviewed, "--reason", "wrong side", "--config", config)
    answer = dicomnode("cases", "retry", reviewed, "--config", config)
    assert answer.code == 1
    assert "rejected" in answer.stderr
