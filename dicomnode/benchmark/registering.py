"""`benchmark register`: everything that is still missing in the records, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fusion import FusionError

from ..errors import NodeError
from . import costs, experiments, never
from .deformation import deformable_jobs
from .environments import OWN
from .pairs import GENERATED, load_pair
from .records import Records, Row
from .tools import HEADER_BELIEVED, OURS, Ours, Peer, Tool
from .trial import Trial, carry_out, pair_key, pair_row

Say = Callable[[str, int, int], None]
"""Called with what begins, how many are done and how many there are."""

Job = tuple[str, Callable[[], Row]]

PARTS = ("accuracy", "header", "spread", "capture", "verdicts", "never", "cost", "deformable", "clinical")
SMALL_PAIR = "tplPD"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is wanted: in full or small, where the images and the peers' environments are, which parts."""

    full: bool
    data: Path | None
    environments: Path
    peers: Sequence[str] = ()
    parts: Sequence[str] = PARTS


def measure(plan: Plan, records: Records, say: Say, warn: Callable[[str], None]) -> None:
    """Add to `records` what `plan` asks for and they lack. A peer that cannot be had is said and left out."""
    tools: dict[str, Tool] = {OURS: Ours()}
    verified = Ours(HEADER_BELIEVED, identity_is_default=True)
    peers = []
    for name in dict.fromkeys((*plan.peers, *(() if plan.full else (OWN,)))):
        try:
            peer = Peer.found(name, plan.environments)
        except NodeError as error:
            warn(f"{error}; left out")
            continue
        peers.append(peer)
        if name in experiments.RIGID_PEERS:
            tools[name] = peer
    jobs = [job for job in jobs_of(plan, tools, peers, verified) if job[0] not in records]
    if jobs:
        warm_up()
    for number, (key, job) in enumerate(jobs):
        say(key, number, len(jobs))
        try:
            records.add(job())
        except (NodeError, FusionError, MemoryError) as error:
            warn(f"{key}: {error}")
            records.add({"key": key, "experiment": key.split("/")[0], "failed": str(error)})


def warm_up() -> None:
    """Compile the engine's kernels, or read them from their cache: once for every machine, and nobody's seconds."""
    pair = load_pair(GENERATED, None)
    Ours().rigid(pair.fixed, pair.moving)


def jobs_of(plan: Plan, tools: Mapping[str, Tool], peers: Sequence[Peer], verified: Tool) -> list[Job]:
    """Everything that `plan` asks for, in the order in which it is done."""
    trials = trials_of(plan, tuple(tools))
    names = dict.fromkeys(trial.pair for trial in trials)
    jobs: list[Job] = [(pair_key(name), partial(pair_row, name, plan.data)) for name in names]
    jobs += [(trial.key, partial(carry_out, trial, tools.get(trial.tool, verified), plan.data)) for trial in trials]
    if "never" in plan.parts:
        jobs += never_jobs(plan)
    if "cost" in plan.parts:
        pairs = costs.MEASURED if plan.full else (small_pair(plan),)
        measured = [peer for peer in peers if peer.name in experiments.RIGID_PEERS and plan.full]
        jobs += costs.cost_jobs(pairs, measured, plan.data, engine=plan.full)
    if "deformable" in plan.parts and plan.full:
        jobs += deformable_jobs(peers, plan.data)
    if "clinical" in plan.parts and plan.full:
        jobs += costs.cost_jobs((costs.CLINICAL,), (), plan.data, engine=False)
    return jobs


def trials_of(plan: Plan, tools: Sequence[str]) -> list[Trial]:
    """The rigid registrations in this process."""
    if plan.full:
        return experiments.everything(tools, plan.parts)
    return [trial for trial in experiments.small(small_pair(plan), tools) if trial.experiment in plan.parts]


def small_pair(plan: Plan) -> str:
    """A real head where there is one."""
    return SMALL_PAIR if plan.data is not None and plan.data.is_dir() else GENERATED


def never_jobs(plan: Plan) -> list[Job]:
    """Pairs that must not be accepted."""
    data = plan.data if plan.full else None
    pairs = never.small_pairs() if data is None else never.all_pairs(data)
    return [(never.never_key(kind, name), partial(never.judged, kind, name, make)) for kind, name, make in pairs]
