"""What goes to somebody who helps: enough to help, no secret, and of a marked patient nothing."""

import zipfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dicomnode.commands.clock import check_clock
from dicomnode.commands.support import BLOT, REMOVED, TAIL_BYTES, blotted, tail
from dicomnode.errors import NodeError
from dicomnode.settings import PeerSettings, Settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.records import CaseState, PatientIdentity, StudyHeader
from storage.session import Database
from tests.fixtures.command_line import Command
from tests.fixtures.stored_records import fusion_plan, instance_record

NOW = datetime.now(UTC)
MARKED = PatientIdentity("MARK-4711", "HOSPITAL", "Markiert^Magda", "19440229", "F")
MARKED_STUDY = StudyHeader("1.2.3", "20240517", "115500", "ACC-0815", "Marked Description")
MARKS = ("MARK-4711", "Markiert", "Magda", "19440229", "1944-02-29", "ACC-0815", "Marked Description")
SECRETS = ("hunter2", "Bearer-of-news")


def test_the_bundle_tells_of_the_node_and_of_nobody(dicomnode: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    config = tmp_path / "node.toml"
    config.write_text(
        f'[node]\nport = 1\n[storage]\npath = "{data}"\nreserve_bytes = 0\n'
        '[peers.pacs]\nae_title = "PACS"\nport = 1\nprefetch = "dicomweb"\n'
        'dicomweb_url = "http://ward:hunter2@127.0.0.1:1/web"\ndicomweb_authorization = "Bearer-of-news"\n',
        encoding="utf-8",
    )
    database = Database(f"sqlite:///{data / 'ledger.sqlite'}")
    upgrade(database)
    Catalogue(database).add_instance(instance_record(patient=MARKED, study=MARKED_STUDY), NOW)
    cases = Cases(database)
    cases.open(fusion_plan(), "patient", CaseState.QUEUED, "matched", "scheduler")
    claim = cases.claim("worker", 60, NOW)
    assert claim is not None
    cases.fail(claim, "LoadError: the series of Markiert^Magda is none", None)
    log = tmp_path / "node.log"
    log.write_text(
        f"the node started\na line of another program: {' '.join(MARKS)}, MARKIERT MAGDA\n", encoding="utf-8"
    )

    answer = dicomnode("support-bundle", "--out", tmp_path / "bundle.zip", "--log", log, "--json", "--config", config)
    assert answer.code == 0, answer.stderr
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        parts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert sorted(parts) == answer.values["parts"]
    everything = "".join(parts.values())
    for mark in (*MARKS, *SECRETS):
        assert mark.lower() not in everything.lower()
    assert '"failed": 1' in parts["ledger.json"]
    assert '"LoadError": 1' in parts["ledger.json"]
    assert "the node started" in parts["log.txt"]
    assert BLOT in parts["log.txt"]
    assert parts["settings.json"].count(REMOVED) == 2
    assert '"check": "clock"' in parts["doctor.json"]
    assert '"dicomnode"' in parts["versions.json"]


def test_a_node_that_never_ran_gets_its_bundle(dicomnode: Command, tmp_path: Path) -> None:
    assert dicomnode("support-bundle", "--out", tmp_path / "bundle.zip").code == 0
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert b"there is no ledger" in bundle.read("ledger.json")


def test_words_are_blotted_out_whole() -> None:
    assert blotted({"a": "Anna and Annabel; ANNA."}, ["Anna", "and"]) == {"a": f"{BLOT} and Annabel; {BLOT}."}


def test_the_tail_begins_with_a_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(200_000)))
    end = tail(log)
    assert len(end) <= TAIL_BYTES
    assert end.startswith("line ")
    assert end.endswith("line 199999\n")


@pytest.mark.parametrize(("ahead_s", "good"), [(0, True), (90, False)])
def test_clocks_of_peers_are_compared(tmp_path: Path, ahead_s: int, good: bool) -> None:
    class Peer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(401)
            then = datetime.now(UTC) + timedelta(seconds=ahead_s)
            self.send_header("Date", then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Peer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    settings = Settings(
        peers={"pacs": PeerSettings(ae_title="PACS", dicomweb_url=f"http://127.0.0.1:{server.server_port}/web")}
    )
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    try:
        if good:
            assert "the clock of pacs" in check_clock(settings, database)
        else:
            with pytest.raises(NodeError, match="set the clock"):
                check_clock(settings, database)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_without_another_clock_it_says_so(tmp_path: Path) -> None:
    assert "compared with nothing" in check_clock(Settings(), Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))


@pytest.mark.pacs
def test_the_clock_of_the_database_server_is_compared(postgresql_url: str) -> None:
    assert "the clock of the database" in check_clock(Settings(), Database(postgresql_url))
