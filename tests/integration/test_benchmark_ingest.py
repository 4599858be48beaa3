"""The ingest benchmark: what it sends is whole, receivers take turns in every round, and the page says it all."""

import json
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_dataset
from typer.testing import CliRunner

from dicomnode.benchmark.ingest import COLUMNS, MEASURED, Plan, medians, page
from dicomnode.benchmark.ingest_client import PDU_BYTES, store_request
from dicomnode.benchmark.ingest_receivers import RECEIVERS
from dicomnode.benchmark.ingest_slices import KINDS, slices
from dicomnode.commands.benchmark import benchmark_app
from dicomnode.network.command_set import Command
from dicomnode.network.pdu_stream import HEAD


def test_a_request_holds_command_and_data_set_in_pdus_of_the_agreed_size() -> None:
    made = slices(KINDS["CT"], 2)
    assert made[0].dataset != made[1].dataset
    request, parts, at = store_request(made[1]), {3: b"", 0: b"", 2: b""}, 0
    while at < len(request):
        kind, length = HEAD.unpack_from(request, at)
        assert (kind, length <= PDU_BYTES) == (4, True)
        control = request[at + 11]
        parts[control] += request[at + 12 : at + 6 + length]
        at += 6 + length
    command = Command.of(parts[3])
    assert (command.field, command.has_data_set, command.sop_instance_uid) == (1, True, made[1].sop_instance_uid)
    assert parts[0] + parts[2] == made[1].dataset
    read = read_dataset(BytesIO(made[1].dataset), is_implicit_VR=False, is_little_endian=True)
    assert (read.SOPInstanceUID, read.InstanceNumber, len(read.PixelData)) == (made[1].sop_instance_uid, 2, 512**2 * 2)


def test_receivers_take_turns_in_every_round() -> None:
    turns = list(Plan(("ours", "orthanc"), (("CT", 3),), (1, 4), 2))
    assert [turn[-1] for turn in turns] == ["ours", "orthanc"] * 4
    assert [turn[0] for turn in turns] == [0] * 4 + [1] * 4


def test_the_page_has_the_medians_of_every_receiver_and_what_it_promises() -> None:
    rows = [
        {"key": f"{name}{rate}", "receiver": name, "kind": "CT", "associations": 4, **dict.fromkeys(MEASURED, rate)}
        for name in RECEIVERS
        for rate in (1.0, 200.0, 7.0)
    ]
    text = page(medians(rows))
    for receiver in RECEIVERS.values():
        line = next(line for line in text.splitlines() if f"| {receiver.title} |" in line)
        assert receiver.durable in line
        assert line.count(" 7.0 ") == len(COLUMNS)


def test_an_unknown_peer_is_refused(tmp_path: Path) -> None:
    said = CliRunner().invoke(benchmark_app, ["ingest", "--against", "nobody", "--out", str(tmp_path)])
    assert said.exit_code != 0
    assert not list(tmp_path.iterdir())


def test_the_small_benchmark_measures_the_node(tmp_path: Path) -> None:
    said = CliRunner().invoke(benchmark_app, ["ingest", "--out", str(tmp_path), "--json"])
    assert said.exit_code == 0, said.output
    values = json.loads(said.stdout)
    assert [(row["kind"], row["associations"]) for row in values["medians"]] == [("CT", 4), ("PET", 4)]
    assert all(row["failed"] == 0 and row["instances_per_s"] > 0 for row in values["medians"])
    assert (tmp_path / "ingest.png").stat().st_size > 0
    assert "this node" in (tmp_path / "ingest.md").read_text(encoding="utf-8")
