"""What the benchmark is made of: truths, offsets, records, consensus, accounting, environments."""

import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.benchmark import environments, experiments
from dicomnode.benchmark.accounting import timed
from dicomnode.benchmark.deformation import continued
from dicomnode.benchmark.findings import Findings, mean_rigid
from dicomnode.benchmark.goals import GOALS, judged
from dicomnode.benchmark.never import mirrored, spoilt
from dicomnode.benchmark.offsets import CHANGES, LEVELS, cropped, generator_of, moved_volume, random_motion
from dicomnode.benchmark.pairs import GENERATED, PAIRS, load_pair
from dicomnode.benchmark.phantom import axial_grid, write_clinical
from dicomnode.benchmark.records import Records
from dicomnode.benchmark.stages import StageClock
from dicomnode.benchmark.target_error import body_mask, body_points, target_error
from dicomnode.benchmark.tools import OURS
from dicomnode.benchmark.trial import Trial, changed
from dicomnode.errors import NodeError
from dicomnode.load import load_input
from fusion.geometry.transform import AffineTransform
from tests.fixtures.volumes import rigid_transforms

IDENTITY = AffineTransform.identity()
POINTS = np.random.default_rng(1).uniform(-100, 100, (50, 3))


@given(rigid_transforms())
def test_a_motion_is_the_truth_of_the_moved_volume(motion: AffineTransform) -> None:
    """What lay at a point of the image lies, after the motion, where the motion puts that point."""
    volume = load_pair(GENERATED, None).moving
    index = np.array([[3.0, 5.0, 7.0]])
    moved = moved_volume(volume, motion)
    assert np.allclose(moved.grid.points(index), motion(volume.grid.points(index)), atol=1e-6)
    assert moved.voxels is volume.voxels


@pytest.mark.parametrize("level", LEVELS)
def test_offsets_stay_within_their_level_and_are_the_same_again(level: str) -> None:
    volume = load_pair(GENERATED, None).moving
    motions = [random_motion(volume, level, "a pair", index) for index in range(6)]
    again = random_motion(volume, level, "a pair", 5)
    assert np.array_equal(motions[5].matrix, again.matrix)
    turn_deg, shift_mm = LEVELS[level]
    for motion in motions:
        assert motion.is_rigid
        if level == "flip":
            assert motion.rotation_angle_deg > 180 - math.sqrt(3) * turn_deg
        else:
            assert motion.rotation_angle_deg <= min(math.sqrt(3) * turn_deg, 180) + 1e-6
            centre = volume.grid.centre_mm
            assert np.abs(motion(centre) - centre).max() <= shift_mm + 1e-9
    if turn_deg:
        assert not np.allclose(motions[0].matrix, motions[1].matrix)


def test_errors_are_distances_over_the_body() -> None:
    shift = AffineTransform.rigid((0, 0, 0), (0, 3.0, 4.0))
    error = target_error(shift, IDENTITY, POINTS)
    assert (error.mean_mm, error.p95_mm, error.max_mm) == pytest.approx((5.0, 5.0, 5.0))
    assert error.failed
    assert not target_error(AffineTransform.rigid((0, 0, 0), (2.4, 0, 0)), IDENTITY, POINTS).failed
    assert target_error(AffineTransform.rigid((0, 0, 0.06), (0, 0, 0)), IDENTITY, POINTS).max_mm >= 5.0


def test_points_lie_in_both_images_and_reach_the_outside_of_the_body() -> None:
    pair = load_pair(GENERATED, None)
    points = body_points(pair.fixed, pair.moving, pair.stated)
    for volume, places in ((pair.fixed, points), (pair.moving, pair.stated(points))):
        indices = volume.grid.indices(places)
        assert (indices >= -1e-9).all()
        assert (indices <= np.array(volume.grid.shape) - 1 + 1e-9).all()
    body = pair.fixed.grid.points(np.argwhere(body_mask(pair.fixed)).astype(np.float64))
    assert points[:, 1].min() <= body[:, 1].min() + 2 * 3.5


def test_the_generated_head_lies_as_it_is_said_to() -> None:
    """Skin of one image lies on skin of the other, and in air where it would lie without the truth."""
    pair = load_pair(GENERATED, None)
    points = body_points(pair.fixed, pair.moving, pair.stated)

    def share_of_body(transform: AffineTransform) -> float:
        indices = np.rint(pair.moving.grid.indices(transform(points))).astype(int)
        inside = ((indices >= 0) & (indices < np.array(pair.moving.grid.shape))).all(axis=1)
        return float(body_mask(pair.moving)[tuple(indices[inside].T)].mean())

    wrong = pair.stated.then(AffineTransform.rigid((0, 0, 0), (0, 15, 0)))
    assert share_of_body(pair.stated) > share_of_body(wrong) + 0.02


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leaves_the_truth_alone(change: str) -> None:
    pair = load_pair(GENERATED, None)
    for index in (0, 1):
        fixed, moving = changed(pair, Trial("verdicts", GENERATED, OURS, "near", index, change))
        untouched, touched, before = (moving, fixed, pair.fixed) if index else (fixed, moving, pair.moving)
        if change == "none":
            assert touched is before
            continue
        assert untouched is (pair.moving if index else pair.fixed)
        if change == "cut away":
            assert 0.6 < touched.voxels.numel() / before.voxels.numel() < 0.85
            start = before.grid.indices(touched.grid.origin_mm).round().astype(int)
            kept = tuple(slice(a, a + n) for a, n in zip(start, touched.grid.shape, strict=True))
            assert torch.equal(touched.voxels, before.voxels[kept])
        else:
            assert touched.grid is before.grid
            assert not torch.equal(touched.voxels, before.voxels)
            assert np.corrcoef(touched.voxels.ravel(), before.voxels.ravel())[0, 1] > 0.8
    again = [CHANGES[change](pair.moving, generator_of("x", change)) for _ in range(2)]
    assert torch.equal(again[0].voxels, again[1].voxels)


def test_a_cropped_volume_stays_where_it_was() -> None:
    volume = load_pair(GENERATED, None).fixed
    part = cropped(volume, (slice(4, None), slice(0, 20), slice(3, 30)))
    assert np.allclose(part.grid.points(np.zeros(3)), volume.grid.points(np.array([4.0, 0.0, 3.0])))
    assert torch.equal(part.voxels, volume.voxels[4:, :20, 3:30])


def test_mirrored_means_left_and_right() -> None:
    pair = load_pair(GENERATED, None)
    _, moving = mirrored((pair.fixed, pair.moving))
    assert torch.equal(moving.voxels, pair.moving.voxels.flip(2))
    assert "mirrored" in {kind for kind, _, _ in spoilt(GENERATED, None)}


def test_records_go_on_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    records = Records(path)
    records.add({"key": "a", "value": 1})
    records.add({"key": "b", "value": [1.5, None]})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "c", "val')
    again = Records(path)
    assert "a" in again
    assert "c" not in again
    again.add({"key": "d"})
    assert [row["key"] for row in Records(path)] == ["a", "b", "d"]
    assert Records(path)["b"]["value"] == [1.5, None]


@given(rigid_transforms(), st.integers(2, 5))
def test_the_mean_of_transforms_about_one_is_that_one(middle: AffineTransform, count: int) -> None:
    around = [
        AffineTransform.rigid((0, 0, 0), (2 * math.cos(angle), 2 * math.sin(angle), 0.0))
        for angle in 2 * math.pi * np.arange(count) / count
    ]
    found = mean_rigid([middle.then(shift) for shift in around], POINTS)
    assert found.is_rigid
    assert target_error(found, middle, POINTS).max_mm < 1e-6


def rows_of(*found: tuple[str, tuple[float, float, float]]) -> list[dict[str, Any]]:
    """A pair and what tools found on it, each a shift."""
    pair: dict[str, Any] = {
        "key": "pair/p",
        "experiment": "pair",
        "pair": "p",
        "patient": "x",
        "stated": np.eye(4).tolist(),
    }
    pair["by_consensus"] = True
    rows: list[dict[str, Any]] = [{**pair, "points": POINTS.tolist()}]
    for tool, shift in found:
        row = {"key": tool, "experiment": "accuracy", "pair": "p", "tool": tool, "motion": np.eye(4).tolist()}
        rows.append({**row, "found": AffineTransform.rigid((0, 0, 0), shift).matrix.tolist()})
    return rows


def test_no_tool_is_measured_against_itself() -> None:
    rows = rows_of(("ants", (1.0, 0, 0)), ("greedy", (1.4, 0, 0)), ("elastix", (3.0, 0, 0)), (OURS, (1.2, 0, 0)))
    found = Findings(rows)
    ours = found.consensus("p", OURS)
    assert ours is not None
    assert ours.transform.matrix[0, 3] == pytest.approx(1.8)
    theirs = found.consensus("p", "elastix")
    assert theirs is not None
    assert theirs.tools == ("ants", "greedy")
    assert (theirs.transform.matrix[0, 3], theirs.spread_mm) == pytest.approx((1.2, 0.2))
    assert found.reference("p", "elastix")[1] == "consensus"
    assert Findings(rows_of(("ants", (0, 0, 0)), ("greedy", (5.0, 0, 0)))).reference("p", OURS)[1] == "stated"
    rows[0]["by_consensus"] = False
    assert Findings(rows).reference("p", OURS)[1] == "stated"


def test_a_motion_is_part_of_the_truth() -> None:
    motion = AffineTransform.rigid((0.3, 0, 0), (10, 0, 0))
    (pair, row) = rows_of((OURS, (0, 0, 0)))
    right = {**row, "motion": motion.matrix.tolist(), "found": motion.matrix.tolist()}
    found = Findings([pair, right])
    assert found.error(right).max_mm < 1e-9
    assert found.misalignment_mm(right) > 10
    assert not found.turned(right)
    other = {**right, "found": np.eye(4).tolist()}
    assert found.error(other).failed
    assert found.spread_mm([right, right]) == pytest.approx(0, abs=1e-9)


def test_goals_say_nothing_of_what_was_not_measured() -> None:
    found = Findings([])
    assert [goal.measured(found) for goal in GOALS] == [None] * len(GOALS)


def test_a_goal_that_asks_for_many_runs_is_not_reached_by_few() -> None:
    assert [judged(reached, runs, 20) for reached in (True, False) for runs in (1, 20)] == [None, True, False, False]


def test_every_trial_has_a_key_of_its_own_and_a_pair() -> None:
    tools = (OURS, *experiments.RIGID_PEERS)
    trials = [trial for make in experiments.FULL.values() for trial in make(tools)]
    assert len({trial.key for trial in trials}) == len(trials)
    assert {trial.pair for trial in trials} <= set(PAIRS)
    assert len(experiments.verdicts(())) == 500
    ours = [trial for trial in experiments.capture(tools) if trial.tool == OURS and trial.pair == "tplCT"]
    assert len(ours) == 4 * experiments.STARTS


def test_memory_is_that_of_the_program_and_not_of_who_starts_it() -> None:
    ballast = np.ones(60_000_000 // 8)
    small = timed([sys.executable, "-I", "-S", "-c", "x = sum(i * i for i in range(300_000))"], 60)
    assert ballast.sum() > 0
    assert small.peak_mb < 45
    assert 0 < small.cpu_s < 10
    large = timed([sys.executable, "-I", "-S", "-c", "x = b'1' * 120_000_000"], 60)
    assert large.peak_mb > 120


def test_a_program_that_fails_says_why_and_one_that_hangs_is_ended() -> None:
    with pytest.raises(NodeError, match="no good"):
        timed([sys.executable, "-I", "-S", "-c", "raise SystemExit('no good')"], 60)
    assert timed([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"], 60, accepted_codes=(0, 3)).wall_s > 0
    with pytest.raises(NodeError, match="longer than 1 s"):
        timed([sys.executable, "-I", "-S", "-c", "import time; time.sleep(100)"], 1)


def test_peers_are_pinned_and_are_no_dependencies() -> None:
    peers = environments.known_peers()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = " ".join([*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]).lower()
    for name, packages in peers.items():
        assert (environments.DRIVERS / f"{name}.py").exists()
        assert all("==" in package for package in packages)
    for package in ("picsl-greedy", "itk-elastix", "antspyx", "convexadam"):
        assert package not in wanted
    with pytest.raises(NodeError, match="known are sitk, greedy"):
        environments.python_of("nobody", Path("/nowhere"))


def test_a_peer_that_cannot_be_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "known_peers", lambda: {"broken": (str(tmp_path / "no-such-package.whl"),)})
    monkeypatch.setattr("venv.create", lambda place, **_: stub(place))
    with pytest.raises(NodeError, match="broken cannot be installed"):
        environments.python_of("broken", tmp_path)
    assert list(tmp_path.glob("broken-*")) == []


def stub(place: Path) -> None:
    """An environment whose pip finds nothing."""
    (place / "bin").mkdir(parents=True)
    python = place / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'no such file' >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)


def test_a_field_goes_on_beyond_its_border() -> None:
    grid = load_pair(GENERATED, None).moving.grid
    field = np.random.default_rng(2).normal(size=(*grid.shape, 3)).astype(np.float32)
    transform = continued(field, grid)
    index = np.array([[3, 4, 5], [0, 0, 0], [57, 65, 55]])
    points = grid.points(index.astype(np.float64))
    assert np.allclose(transform(points) - points, field[tuple(index.T)], atol=1e-5)
    outside = grid.points(np.array([[-0.5, 4.0, 5.0]]))
    assert np.allclose(transform(outside) - outside, field[0, 4, 5], atol=1e-5)


def test_a_stage_that_comes_again_is_added_to() -> None:
    clock = StageClock()
    for name in ("load", "register", "load"):
        clock(name)
    clock.stop()
    assert list(clock.stages) == ["load", "register"]
    assert all(stage.wall_s > 0 and stage.peak_mb > 10 for stage in clock.stages.values())
    assert len(clock.line()) == 6


def test_a_clinical_volume_is_written_where_its_grid_says(tmp_path: Path) -> None:
    grid = axial_grid((40, 50, 45), (5.0, 4.5, 5.0), (0, 0, -10))
    write_clinical(tmp_path / "mr.nii", "MR", grid, IDENTITY, 1)
    volume = load_input(tmp_path / "mr.nii").volume
    assert volume.grid.same_geometry(grid, 1e-2)
    brain = volume.grid.indices(np.array([[0.0, 0.0, 60.0]])).round().astype(int)[0]
    assert volume.voxels[tuple(brain)] > 60
    assert abs(float(volume.voxels[0, 0, 0])) < 100
