"""`dicomnode benchmark` at size 1: it cannot rot. The peers' own environments are made only when a peer is asked for.

DICOMNODE_BENCHMARK_PEERS="greedy elastix ants" checks their drivers on a known offset as well (gigabytes, minutes).
"""

import os
from pathlib import Path

import numpy as np
import pytest

from dicomnode.benchmark.environments import cache_folder
from dicomnode.benchmark.offsets import moved_volume
from dicomnode.benchmark.pairs import GENERATED, load_pair
from dicomnode.benchmark.records import Records
from dicomnode.benchmark.target_error import body_points, target_error
from dicomnode.benchmark.tools import Ours, Peer, Tool
from dicomnode.commands.benchmark import benchmark_app
from fusion.geometry.transform import AffineTransform
from tests.fixtures.command_line import Command

pytestmark = pytest.mark.benchmark

PEERS = os.environ.get("DICOMNODE_BENCHMARK_PEERS", "").split()
KNOWN = AffineTransform.rigid((0.10, -0.05, 0.15), (6.0, -9.0, 12.0))


@pytest.mark.parametrize("name", ["ours", "sitk", *PEERS])
def test_every_tool_answers_in_our_convention(name: str) -> None:
    """One image against itself, moved: a transform that was read the wrong way round is off by centimetres."""
    tool: Tool = Ours() if name == "ours" else Peer.found(name, cache_folder())
    head = load_pair(GENERATED, None).moving
    points = body_points(head, head, AffineTransform.identity())
    answer = tool.rigid(head, moved_volume(head, KNOWN), wide=False)
    assert answer.transform is not None
    assert target_error(answer.transform, KNOWN, points).mean_mm < 0.6
    assert target_error(AffineTransform.identity(), KNOWN, points).mean_mm > 10
    assert answer.spent["cpu_s"] >= answer.spent["core_cpu_s"] > 0


def test_registration_side_by_side(dicomnode: Command, tmp_path: Path) -> None:
    answer = dicomnode("benchmark", "register", "--against", "sitk", "--out", "measured", "--json")
    assert answer.code == 0, answer.stderr
    values = answer.values
    assert values["failed"] == []
    records = Records(tmp_path / "measured" / "records.jsonl")
    experiments = {row["experiment"] for row in records}
    assert experiments == {"pair", "accuracy", "spread", "capture", "verdicts", "never", "cost"}
    assert {row["tool"] for row in records if row["experiment"] == "accuracy"} == {"ours", "sitk"}
    page = Path(values["page"]).read_text(encoding="utf-8")
    for heading in ("Goals", "Accuracy, as scanned", "Capture", "Verdicts on generated runs", "Cost"):
        assert f"## {heading}\n" in page
    assert len(values["pictures"]) == 3
    assert all(Path(picture).stat().st_size > 5000 for picture in values["pictures"])
    found = [row for row in records if row["experiment"] == "capture"]
    matrices = np.array([row["found"] for row in found])
    assert len(found) == 1
    assert np.isfinite(matrices).all()
    never = {row["kind"]: row["verdict"] for row in records if row["experiment"] == "never"}
    assert "accept" not in {never[kind] for kind in ("empty", "constant", "single slice", "hardly any overlap")}
    before = len(list(records))
    again = dicomnode("benchmark", "register", "--against", "sitk", "--out", "measured", "--json")
    assert again.values == values, "nothing is measured twice"
    assert len(list(Records(tmp_path / "measured" / "records.jsonl"))) == before


def test_a_case_stage_by_stage(dicomnode: Command) -> None:
    values = dicomnode("benchmark", "case", "--json").values
    assert [stage["name"] for stage in values["stages"]] == ["load", "register", "assess", "fuse", "encode"]
    assert all(stage["wall_s"] >= 0 and stage["peak_mb"] > 50 for stage in values["stages"])
    assert values["outputs"] > 0


def test_what_is_mistyped_is_said(dicomnode: Command) -> None:
    for words, reason in (
        (("register", "--against", "somebody", "--out", "o"), "known are sitk, greedy"),
        (("register", "--only", "nothing", "--out", "o"), "known are accuracy"),
        (("register", "--size", "full", "--data", "nowhere", "--out", "o"), "name --data"),
        (("case", "--fixed", "here"), "name both"),
    ):
        answer = dicomnode("benchmark", *words)
        assert answer.code == 2
        assert reason in " ".join(answer.stderr.split())
    for command in benchmark_app.registered_commands:
        assert command.callback is not None
        assert dicomnode("benchmark", command.callback.__name__.replace("_", "-"), "--help").code == 0
