"""What is measured: our engine in this process, and programs that are run on the same files."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fusion import Volume
from fusion.geometry.transform import AffineTransform
from storage.records import Recipe

from ..encode import write_image
from ..errors import NodeError
from ..pipeline import finite, register_pair
from .accounting import timed
from .environments import DRIVERS, executable_of, python_of

OURS = "ours"
HEADER_BELIEVED = "ours, header believed"
LIMIT_S = 1200.0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a tool found: fixed to moving points, None where it gave nothing; what it cost, and what else it said."""

    transform: AffineTransform | None
    spent: dict[str, float]
    said: dict[str, Any]


class Tool(Protocol):
    """Something that registers two volumes rigidly; `wide` asks for its search over all orientations."""

    @property
    def name(self) -> str:
        """What its rows are called."""
        ...

    def rigid(self, fixed: Volume, moving: Volume, *, wide: bool) -> Answer:
        """Raises `NodeError` where it fails and says so."""
        ...


@dataclass(frozen=True, slots=True)
class Ours:
    """A registrar of this node with the verdict on its result, as for a case; wide or not is its own choice.

    `identity_is_default` is what matching found out about a shared Frame of Reference.
    """

    name: str = OURS
    registrar: str = "auto"
    identity_is_default: bool | None = None

    def rigid(self, fixed: Volume, moving: Volume, *, wide: bool = False) -> Answer:
        del wide
        steps: dict[str, float] = {}

        def on_step(step: str) -> None:
            steps[step] = time.process_time()

        began, wall = time.process_time(), time.perf_counter()
        recipe = Recipe("benchmark", registrar=self.registrar)
        registration, report = register_pair(fixed, moving, recipe, self.identity_is_default, on_step)
        ended = time.process_time()
        said = {
            "verdict": report.verdict.value,
            "reason": report.reasons[0],
            "expected_mm": finite(registration.expected_error_mm),
            "bound_mm": finite(registration.error_bound_mm),
            "used": next((str(k) for k in registration.parameters if k in ("rigid", "identity")), self.registrar),
            "measures": {name: finite(value) for name, value in registration.measures.items()},
        }
        spent = {
            "cpu_s": ended - began,
            "core_cpu_s": steps.get("assess", ended) - began,
            "wall_s": time.perf_counter() - wall,
        }
        transform = registration.transform if isinstance(registration.transform, AffineTransform) else None
        return Answer(transform, spent, said)


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of somebody else, run with `python` by its driver."""

    name: str
    python: Path
    executable: str | None = None

    @classmethod
    def found(cls, name: str, environments: Path) -> "Peer":
        """The peer on PATH or in an environment of its own. Raises `NodeError` where it cannot be installed."""
        return cls(name, python_of(name, environments), executable_of(name))

    def rigid(self, fixed: Volume, moving: Volume, *, wide: bool = False) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            paths = {"fixed": Path(folder, "fixed.nii"), "moving": Path(folder, "moving.nii")}
            write_image(paths["fixed"], fixed)
            write_image(paths["moving"], moving)
            answer = self.asked({**paths, "kind": "rigid", "wide": wide}, Path(folder))
        return Answer(AffineTransform(np.array(answer["matrix"])), answer["spent"], {})

    def deformable(self, fixed: Path, moving: Path, *, same_contrast: bool) -> tuple[NDArray[np.float32], Answer]:
        """The displacement (slice, row, column, 3) of every fixed voxel, LPS mm, and the cost."""
        with tempfile.TemporaryDirectory() as folder:
            field = Path(folder, "field.npy")
            request = {"fixed": fixed, "moving": moving, "kind": "deformable", "same_contrast": same_contrast}
            answer = self.asked({**request, "field": field}, Path(folder))
            return np.load(field), Answer(None, answer["spent"], {})

    def asked(self, request: dict[str, Any], folder: Path, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Run the driver on `request`: its answer, with what it cost under `spent`."""
        question, answer = folder / "request.json", folder / "answer.json"
        whole = {"wide": False, "same_contrast": False, **request, "executable": self.executable, "answer": answer}
        question.write_text(json.dumps(whole, default=str), encoding="utf-8")
        # A driver's folder holds names of packages; and what this process imports is nothing to the peers.
        alone = "-P" if self.name == OURS else "-I"
        spent = timed([self.python, alone, DRIVERS / f"{self.name}.py", question], limit_s)
        if not answer.exists():
            raise NodeError(f"{self.name} gave no answer")
        values: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        core = float(values.pop("cpu_s"))
        costs = {"cpu_s": spent.cpu_s, "core_cpu_s": core, "wall_s": spent.wall_s, "peak_mb": spent.peak_mb}
        return {**values, "spent": costs}
