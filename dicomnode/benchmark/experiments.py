"""Which trials answer which question, small for every commit or in full for the page of the docs."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from .offsets import CHANGES, generator_of
from .pairs import GENERATED, HEAD_2MM, HEAD_NATIVE, PATIENTS, TEMPLATES
from .tools import HEADER_BELIEVED, OURS
from .trial import Trial

CAPTURED = ("tplCT", "tplPET", "tplSPECT", "tplT2")
STARTS = 20
STARTS_OF_PEERS: Mapping[str, int] = MappingProxyType({"greedy": 5, "sitk": 5, "ants": 2, "elastix": 2})
"""On CT; on the other pairs two of greedy. Peers cost the most of a run, and one failure shows what they lack."""

RIGID_PEERS = tuple(STARTS_OF_PEERS)

GENERATED_RUNS = 500
JUDGED = (HEAD_2MM, *TEMPLATES, *(f"{patient} CT-PET" for patient in PATIENTS), GENERATED)
JUDGED_LEVELS = ("near", "middle", "middle", "far")
"""Two in four as far as patients lie apart, one nearer, one beyond."""


def accuracy(tools: Sequence[str]) -> list[Trial]:
    """The pairs as they are."""
    thighs = [f"{patient} CT-{modality}" for patient in PATIENTS for modality in ("PET", "MR")]
    pairs = (HEAD_2MM, HEAD_NATIVE, *TEMPLATES, *thighs)
    return [Trial("accuracy", pair, tool) for pair in pairs for tool in tools]


def header(_tools: Sequence[str]) -> list[Trial]:
    """Pairs of one examination as a case has them: the shared coordinates are believed and verified."""
    return [Trial("header", f"{patient} CT-PET", HEADER_BELIEVED) for patient in PATIENTS]


def spread(tools: Sequence[str]) -> list[Trial]:
    """The same pair from many starts: how far the answers lie apart."""
    return [
        Trial("spread", HEAD_2MM, tool, "middle", index) for tool in tools for index in range(starts(tool, HEAD_2MM))
    ]


def capture(tools: Sequence[str]) -> list[Trial]:
    """From how far the right answer is found, and with a part of the body missing."""
    trials = []
    for level, change in (("middle", "none"), ("far", "none"), ("flip", "none"), ("middle", "cut away")):
        for pair in CAPTURED:
            for tool in tools:
                trials += [Trial("capture", pair, tool, level, index, change) for index in range(starts(tool, pair))]
    return trials


def verdicts(_tools: Sequence[str], runs: int = GENERATED_RUNS) -> list[Trial]:
    """Pairs put elsewhere and changed at random: what our own verdict and estimates are worth."""
    trials = []
    for index in range(runs):
        generator = generator_of("verdicts", index)
        level = JUDGED_LEVELS[int(generator.integers(len(JUDGED_LEVELS)))]
        change = tuple(CHANGES)[int(generator.integers(len(CHANGES)))]
        trials.append(Trial("verdicts", JUDGED[index % len(JUDGED)], OURS, level, index, change))
    return trials


def everything(tools: Sequence[str], parts: Sequence[str]) -> list[Trial]:
    """All trials of these parts, first starts first: a run that is stopped has looked everywhere a little."""
    trials = [trial for part, make in FULL.items() if part in parts for trial in make(tools)]
    return sorted(trials, key=rank)


def rank(trial: Trial) -> tuple[bool, float]:
    """Pairs as they are come first: their consensus is what the others are measured against."""
    share = trial.index / (GENERATED_RUNS if trial.experiment == "verdicts" else STARTS)
    return trial.experiment not in ("accuracy", "header"), share


def starts(tool: str, pair: str) -> int:
    """How many starts of a tool on a pair are worth their time."""
    if tool == OURS:
        return STARTS
    if pair in ("tplCT", HEAD_2MM):
        return STARTS_OF_PEERS.get(tool, 0)
    return 2 if tool == "greedy" else 0


FULL: Mapping[str, Callable[[Sequence[str]], list[Trial]]] = MappingProxyType(
    {"accuracy": accuracy, "header": header, "spread": spread, "capture": capture, "verdicts": verdicts}
)


def small(pair: str, tools: Sequence[str]) -> list[Trial]:
    """One pair, seconds: every kind of row once."""
    return [
        *(Trial("accuracy", pair, tool) for tool in tools),
        *(Trial("spread", pair, OURS, "middle", index) for index in range(2)),
        Trial("capture", pair, OURS, "flip", 0),
        Trial("verdicts", pair, OURS, "near", 0, "noisy"),
    ]
