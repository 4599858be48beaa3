"""The fault table, row by row over real sockets: what the node must do, and that the same client sees it do it."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicomnode.benchmark.fault_cases import Victim
from dicomnode.benchmark.faults import FAULTS, Fault, page
from dicomnode.benchmark.ingest_receivers import RECEIVERS, Running, running
from dicomnode.benchmark.kills import measure as kill
from dicomnode.benchmark.kills import page as page_of_kills
from dicomnode.benchmark.records import Records
from dicomnode.benchmark.scale import KINDS, SLICES, measure
from dicomnode.commands.benchmark import benchmark_app
from storage.objects import ObjectStore

REFUSED = r"0xC00\d, nothing kept, association lives"
EXPECTED = {
    "data set cut inside Pixel Data": REFUSED,
    "data set cut in its header": REFUSED,
    "random bytes as the data set": REFUSED,
    "the command names another instance": "0xA900, nothing kept, association lives",
    "data set without SOP Instance UID": REFUSED,
    "the same UID with other pixels": "0x0000, then 0xB000; both kept",
    "A-ABORT, RST, FIN within C-STORE": "nothing left",
    "A-ASSOCIATE, P-DATA of 4 GB announced": r"(A-ABORT|closed) in .* s, (A-ABORT|closed) in .* s; [+-]\d MB",
    "64 kB of noise; an HTTP request": r"(A-ABORT|closed) in .* s, (A-ABORT|closed) in .* s",
    "wrong called, unknown calling AE title": "called: A-ASSOCIATE-RJ reason 7; calling: A-ASSOCIATE-RJ reason 3",
    "no character set, ISO 2022, GB18030": "0x0000, kept, association lives",
    "Pixel Data empty; absent": "empty: 0x0000, kept, association lives; absent: 0x0000, kept, association lives",
    "a large multi-frame image": r"0x0000, [+-]\d\d? MB of memory for \d+ MB",
    "many silent connections": r"50 silent; C-ECHO median .* ms, longest .* ms",
    "many idle associations": r"10 idle; C-ECHO median .* ms, longest .* ms",
    "one association for each instance": r"\d+ associations/s, 0 failed",
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("faults") / "kept"
    with running("ours", folder) as server:
        yield server, folder


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_peers_do_wrong_is_answered_as_the_table_says(node: tuple[Running, Path], fault: Fault) -> None:
    server, folder = node
    said = fault.case(Victim(server, RECEIVERS["ours"].called, folder, crowd=10, many_frames=60))
    assert re.fullmatch(EXPECTED[fault.name], said), said


def test_the_page_has_a_line_a_fault_and_a_column_a_receiver() -> None:
    rows = [
        {"fault": fault.name, "receiver": name, "said": f"{name} did well"}
        for fault in FAULTS
        for name in ("ours", "storescp")
    ]
    lines = page(rows).splitlines()[4:]
    assert len(lines) == len(FAULTS)
    assert all("ours did well | storescp did well" in line for line in lines)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_to_kills(tmp_path: Path) -> None:
    """DICOMNODE_KILLS says how many."""
    records = Records(tmp_path / "kills.jsonl")
    kill(("ours",), int(os.environ.get("DICOMNODE_KILLS", "25")), records, lambda _: None)
    (row,) = records
    assert row["acknowledged"] > 0
    assert (row["lost"], row["damaged"]) == (0, 0)
    assert row["visible"] >= row["acknowledged"]
    assert f"| {row['acknowledged']} | 0 |" in page_of_kills([row])


def test_the_index_is_multiplied_and_measured(tmp_path: Path, any_database_url: str) -> None:
    small, large = measure(any_database_url, ObjectStore(tmp_path / "objects"), 5, lambda _: None)
    assert (small.instances, large.instances) == (len(KINDS) * SLICES, 5 * len(KINDS) * SLICES)
    assert min(large.match_ms, large.find_ms, large.enter_ms) > 0


def test_an_unknown_receiver_is_refused(tmp_path: Path) -> None:
    for command in ("faults", "kills"):
        said = CliRunner().invoke(benchmark_app, [command, "--against", "nobody", "--out", str(tmp_path)])
        assert said.exit_code != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_small_fault_table_is_filled(tmp_path: Path) -> None:
    said = CliRunner().invoke(benchmark_app, ["faults", "--out", str(tmp_path), "--json"])
    assert said.exit_code == 0, said.output
    assert len(json.loads(said.stdout)["faults"]) == len(FAULTS)
    assert "this node" in (tmp_path / "faults.md").read_text(encoding="utf-8")
