"""The demonstration: start a PACS and a node, send as a workstation, wait, fetch back, measure, show."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydicom.dataset import Dataset
from rich.console import Console
from rich.table import Table

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.outbox import Outbox
from storage.records import CaseRecord, CaseState
from storage.session import Database

from ..errors import NodeError, PeerError
from ..network.echo import echo
from ..settings import PeerSettings, Settings, load_settings
from . import pacs as archive
from .folder import prepare
from .measure import Check, check_case, true_errors_mm
from .patients import GeneratedPatient, ct_mr_patient, pet_ct_patient
from .previews import write_previews

OPERATOR = "demo operator"
WORKSTATION = "WORKSTATION"
LONGEST_WAIT_S = 280.0
SETTLED_S = 6.0
"""With real data nobody says how many cases are due: the node is at rest when nothing has moved for so long."""

AT_REST = {
    CaseState.DELIVERED, CaseState.REVIEW, CaseState.REJECTED, CaseState.FAILED, CaseState.QUARANTINED,
    CaseState.REPLACED, CaseState.WITHDRAWN,
}  # fmt: skip

CONFIGURATION = """\
[node]
ae_title = "FUSIONNODE"
port = {port}
accept_unknown_peers = true

[storage]
path = "{storage}"
reserve_bytes = 0

[peers.pacs]
ae_title = "{pacs_ae_title}"
port = {pacs_port}
storage_commitment = {commitment}

[matching]
quiet_time_s = 2.0

[workers]
poll_s = 0.3

[sending]
poll_s = 0.3
{rules}"""

RULE = """
[[rules]]
name = "{moving} on CT"
fixed = "CT"
moving = ["{moving}"]
window_hours = 720
destinations = ["pacs"]
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the demonstration keeps what."""

    folder: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "node.toml"

    @property
    def sent(self) -> Path:
        return self.folder / "sent"

    @property
    def previews(self) -> Path:
        return self.folder / "previews"


class Demonstration:
    """One run, from an empty folder to a table and pictures."""

    def __init__(self, folder: Path, data: Path | None, console: Console) -> None:
        self._places = Places(folder)
        self._data = data
        self._console = console

    def run(self) -> bool:
        """Whether everything arrived and, where the truth is known, is right."""
        started = time.perf_counter()
        prepare(self._places.folder, self._data)
        patients = self._generate() if self._data is None else ()
        with ExitStack() as stack:
            pacs, settings = self._start(stack)
            self._send(settings)
            database = Database(settings.database_url)
            stack.callback(database.dispose)
            cases = self._wait(database, expected=len(patients))
            cases = [self._decide(case, database) for case in cases]
            fetched = self._fetch(pacs, cases)
            good = self._show(cases, patients, fetched, database)
        seconds = time.perf_counter() - started
        arrived = "everything arrived and is right" if self._data is None else "everything arrived"
        verdict = f"[green]{arrived}[/]" if good else "[red]something is missing or wrong[/]"
        self._console.print(
            f"\n{verdict}; {seconds:.0f} s; everything is kept in {self._places.folder}", highlight=False
        )
        return good

    def _generate(self) -> tuple[GeneratedPatient, ...]:
        with self._console.status("generating two patients"):
            day = datetime.now(UTC)
            dates = [(day - timedelta(days=days)).strftime("%Y%m%d") for days in (3, 9, 5)]
            return (
                pet_ct_patient(self._places.sent / "pet-ct", dates[0]),
                ct_mr_patient(self._places.sent / "ct-mr", dates[1], dates[2]),
            )

    def _start(self, stack: ExitStack) -> tuple[archive.Pacs, Settings]:
        pacs_port, http_port, node_port = free_ports(3)
        configuration = CONFIGURATION.format(
            port=node_port,
            storage=self._places.folder / "node",
            pacs_ae_title=archive.AE_TITLE,
            pacs_port=pacs_port,
            commitment="true" if archive.ORTHANC else "false",
            rules="".join(RULE.format(moving=moving) for moving in ("PT", "MR", "NM")),
        )
        self._places.configuration.write_text(configuration)
        settings = load_settings(self._places.configuration)
        with self._console.status("starting the PACS and the node"):
            pacs = archive.start_pacs(self._places.folder / "pacs", pacs_port, http_port, node_port)
            stack.callback(pacs.stop)
            await_echo(settings.peers["pacs"], pacs.name)
            stack.enter_context(running_node(self._places.configuration, self._places.folder / "node.log"))
            await_echo(PeerSettings(ae_title=settings.node.ae_title, port=node_port), "the node")
        self._console.print(
            f"PACS: {pacs.name} on port {pacs_port}; node: FUSIONNODE on port {node_port}", highlight=False
        )
        return pacs, settings

    def _send(self, settings: Settings) -> None:
        """As a workstation does: another process, another AE title."""
        source = self._data or self._places.sent
        to = f"{settings.node.ae_title}@127.0.0.1:{settings.node.port}"
        command = [sys.executable, "-m", "dicomnode", "send", str(source), "--to", to, "--calling", WORKSTATION]
        with self._console.status("sending"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NodeError(f"the workstation could not send everything: {done.stdout}{done.stderr}")
        self._console.print(f"workstation: {done.stdout.strip()}", highlight=False)

    def _wait(self, database: Database, expected: int) -> list[CaseRecord]:
        """Until every case is at rest and nothing more is on its way."""
        cases, catalogue = Cases(database), Catalogue(database)
        deadline, still_since = time.monotonic() + LONGEST_WAIT_S, time.monotonic()
        last: object = None
        with self._console.status("waiting") as status:
            while time.monotonic() < deadline:
                found = [case for case in cases.list() if case.state is not CaseState.REPLACED]
                now = [(case.case_id, case.state) for case in found]
                if now != last:
                    last, still_since = now, time.monotonic()
                status.update(
                    "waiting: " + (", ".join(f"{case.plan.rule} {case.state.value}" for case in found) or "…")
                )
                quiet = catalogue.next_due_at() is None and all(state in AT_REST for _, state in now)
                settled = time.monotonic() - still_since > SETTLED_S
                if quiet and len(found) >= max(expected, 1) and (expected or settled):
                    return sorted(found, key=lambda case: case.created_at)
                time.sleep(0.3)
        raise NodeError(f"the node was not done after {LONGEST_WAIT_S:.0f} s; see {self._places.folder / 'node.log'}")

    def _decide(self, case: CaseRecord, database: Database) -> CaseRecord:
        """With real data, what waits for review is approved by a named operator, and the demonstration says so."""
        if case.state is not CaseState.REVIEW or self._data is None or case.result is None:
            return case
        reasons = [reason for report in case.result.reports for reason in report["reasons"]]
        self._console.print(f"\n[yellow]review[/] {case.plan.rule}: {'; '.join(reasons)}", highlight=False)
        self._console.print(f"approved by {OPERATOR}, who looked at nothing: this is a demonstration", highlight=False)
        command = [
            sys.executable, "-m", "dicomnode", "cases", "approve", case.case_id, "--as", OPERATOR,
            "--reason", "approved for the demonstration", "--config", str(self._places.configuration),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NodeError(f"the case could not be approved: {done.stderr}")
        deadline = time.monotonic() + LONGEST_WAIT_S
        while (case := Cases(database).get(case.case_id)).state is CaseState.DELIVERING and time.monotonic() < deadline:
            time.sleep(0.3)
        return case

    def _fetch(self, pacs: archive.Pacs, cases: Sequence[CaseRecord]) -> dict[str, dict[str, list[Dataset]]]:
        """What the PACS holds of each case, by case and kind of output."""
        with self._console.status("fetching the results back from the PACS"):
            fetched = {}
            for case in cases:
                derived = case.result.derived if case.result and case.state is CaseState.DELIVERED else ()
                wanted = [(series.study_instance_uid, series.series_instance_uid) for series in derived]
                held = archive.fetch_series(pacs, WORKSTATION, wanted) if wanted else {}
                by_kind: dict[str, list[Dataset]] = {}
                for series in derived:
                    by_kind.setdefault(series.kind, []).extend(held[series.series_instance_uid])
                fetched[case.case_id] = by_kind
            return fetched

    def _show(
        self,
        cases: Sequence[CaseRecord],
        patients: Sequence[GeneratedPatient],
        fetched: Mapping[str, Mapping[str, Sequence[Dataset]]],
        database: Database,
    ) -> bool:
        table = Table(
            "case",
            "fixed ← moving",
            "verdict",
            "expected mm",
            "bound mm",
            "true mean (max) mm",
            "at the PACS",
            "outcome",
        )
        checks: list[Check] = []
        for case in cases:
            truth = true_errors_mm(case, patients)
            check = check_case(case, fetched[case.case_id], truth, generated=self._data is None)
            checks.append(check)
            report = case.result.reports[0] if case.result else {}
            table.add_row(
                f"{case.plan.rule} ({case.state.value})",
                f"{case.plan.fixed.modality} ({len(case.plan.fixed.sop_instance_uids)}) ← "
                + ", ".join(f"{moving.modality} ({len(moving.sop_instance_uids)})" for moving in case.plan.moving),
                case.result.verdict if case.result else "-",
                _number(report.get("expected_error_mm")),
                _number(report.get("error_bound_mm")),
                f"{truth.mean_mm:.2f} ({truth.max_mm:.2f})" if truth else "unknown",
                ", ".join(f"{kind} {len(found)}" for kind, found in fetched[case.case_id].items()) or "-",
                f"[{'green' if check.good else 'red'}]{check.outcome}[/]",
            )
            name = case.plan.rule.lower().replace(" ", "-")
            pictures = write_previews(self._places.previews, name, fetched[case.case_id])
            for picture in pictures:
                self._console.print(f"picture: {picture}", highlight=False)
        self._console.print(table)
        for case, check in zip(cases, checks, strict=True):
            for sentence in check.sentences:
                self._console.print(f"  {case.plan.rule}: {sentence}", highlight=False)
            for delivery in Outbox(database).of_case(case.case_id):
                if delivery.last_error:
                    self._console.print(f"  {delivery.series.kind}: {delivery.last_error}", highlight=False)
        return bool(checks) and all(check.good for check in checks)


@contextmanager
def running_node(configuration: Path, log: Path) -> Iterator[None]:
    """`dicomnode serve` as a process of its own."""
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "dicomnode", "serve", "--config", str(configuration)]
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_echo(peer: PeerSettings, name: str, timeout_s: float = 60.0) -> None:
    """Until the peer answers a C-ECHO."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            echo(peer, WORKSTATION)
        except PeerError as error:
            if time.monotonic() > deadline:
                raise NodeError(f"{name} did not answer on port {peer.port} within {timeout_s:.0f} s") from error
            time.sleep(0.3)
        else:
            return


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
