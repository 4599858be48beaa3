"""What the rows of the records say: errors against the best truth there is, and who agrees with whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusion.geometry.transform import AffineTransform
from fusion.types import Points

from .records import Row
from .target_error import TargetError, target_error
from .trial import transform_of

CONSENSUS_OF = ("ants", "greedy", "elastix")
FEWEST_AGREEING = 2
CONSENSUS_SPREAD_MM = 1.0
"""Tools that lie further apart than this agree on nothing; then the stated truth is all there is."""

TURNED_DEG = 45.0
"""A result that is turned further against its header is rightly put up for review."""


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """The mean of some tools' answers, and how far they lie from it: the mean over tools and body, mm."""

    transform: AffineTransform
    spread_mm: float
    tools: tuple[str, ...]


class Findings:
    """The rows of a run, asked."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = [row for row in rows if not row.get("failed")]
        self.failed = [row for row in rows if row.get("failed")]

    @cached_property
    def pairs(self) -> dict[str, Row]:
        """The rows of pairs by name."""
        return {row["pair"]: row for row in self.of("pair")}

    def of(self, experiment: str, **values: object) -> list[Row]:
        """The rows of an experiment whose fields have these values."""
        return [
            row
            for row in self.rows
            if row["experiment"] == experiment and all(row.get(name) == value for name, value in values.items())
        ]

    def points(self, pair: str) -> Points:
        """(n, 3) of the body, LPS mm."""
        return np.array(self.pairs[pair]["points"])

    def consensus(self, pair: str, without: str) -> Consensus | None:
        """What the other tools agree on, never the one under test; None where fewer than two answered."""
        rows = [row for row in self.of("accuracy", pair=pair) if row["tool"] in CONSENSUS_OF and row["tool"] != without]
        if len(rows) < FEWEST_AGREEING or pair not in self.pairs:
            return None
        answers = [transform_of(row["found"]) for row in rows]
        points = self.points(pair)
        middle = mean_rigid(answers, points)
        apart = [target_error(answer, middle, points).mean_mm for answer in answers]
        return Consensus(middle, float(np.mean(apart)), tuple(row["tool"] for row in rows))

    def reference(self, pair: str, tool: str) -> tuple[AffineTransform, str]:
        """The truth to measure `tool` against before any motion, and what it is called."""
        consensus = self.consensus(pair, tool) if self.pairs[pair]["by_consensus"] else None
        if consensus is not None and consensus.spread_mm <= CONSENSUS_SPREAD_MM:
            return consensus.transform, "consensus"
        return transform_of(self.pairs[pair]["stated"]), "stated"

    def error(self, row: Row) -> TargetError:
        """Against the reference of the pair, moved as the patient was."""
        truth, _ = self.reference(row["pair"], row["tool"])
        return self.error_against(row, truth)

    def stated_error(self, row: Row) -> TargetError:
        """Against what is stated."""
        return self.error_against(row, transform_of(self.pairs[row["pair"]]["stated"]))

    def error_against(self, row: Row, truth: AffineTransform) -> TargetError:
        """Against `truth`, moved as the patient was."""
        whole = truth.then(transform_of(row["motion"]))
        return target_error(transform_of(row["found"]), whole, self.points(row["pair"]))

    def misalignment_mm(self, row: Row) -> float:
        """How far the header is from the truth: mean over the body."""
        truth, _ = self.reference(row["pair"], row["tool"])
        whole = truth.then(transform_of(row["motion"]))
        return target_error(AffineTransform.identity(), whole, self.points(row["pair"])).mean_mm

    def turned(self, row: Row) -> bool:
        """Whether the truth lies more than 45 degrees from the header."""
        truth, _ = self.reference(row["pair"], row["tool"])
        return truth.then(transform_of(row["motion"])).rotation_angle_deg > TURNED_DEG

    def spread_mm(self, rows: Sequence[Row]) -> float:
        """How far the answers of one pair lie from their mean once the motions are taken back: mean, mm."""
        points = self.points(rows[0]["pair"])
        answers = [transform_of(row["found"]).then(transform_of(row["motion"]).inverse()) for row in rows]
        middle = mean_rigid(answers, points)
        return float(np.mean([target_error(answer, middle, points).mean_mm for answer in answers]))


def mean_rigid(transforms: Sequence[AffineTransform], points: Points) -> AffineTransform:
    """The rigid transform nearest to where the transforms put the points on average (Kabsch)."""
    goal = np.mean([transform(points) for transform in transforms], axis=0)
    source, target = points.mean(axis=0), goal.mean(axis=0)
    left, _, right = np.linalg.svd((points - source).T @ (goal - target))
    handed = np.diag((1.0, 1.0, np.sign(np.linalg.det(left @ right))))
    matrix = np.eye(4)
    matrix[:3, :3] = (left @ handed @ right).T
    matrix[:3, 3] = target - matrix[:3, :3] @ source
    return AffineTransform(matrix)
