"""Explanations of a learned method on two volumes: every kind that is defined for it, as maps on their grid."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ...choice import choose
from ...errors import ParameterError
from ...methods import METHODS
from ...methods.bounded import NETWORK, Bounded, mixture
from ...methods.display import Display
from ...methods.inputs import aligned_pair
from ...methods.learned import LearnedMethod
from ...methods.learned_bands import LearnedBands
from ...methods.method import Method
from ...networks.mixture_weights import STRETCH, MixtureWeights
from ...networks.weights import load_network
from ...types import VoxelArray
from ...volume import Grid, Volume
from .attention import attended_places
from .class_activation import class_activation
from .relevance import relevance
from .saliency import saliency

Answer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""What is explained: planes (n, 1, row, column) twice to fused ones."""

Maps = Mapping[str, torch.Tensor]
"""By the source that a map is about (`fixed`, `moved` or `both`): (n, 1, row, column)."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One map (slice, row, column) float32 on the grid of the fixed volume.

    `kind` is a name of `KINDS`; `of` says about which image it tells: `fixed`, `moved`, or `both` together.
    """

    kind: str
    of: str
    voxels: VoxelArray
    grid: Grid
    method: str


def explain(
    fixed: Volume, moved: Volume, method: str, kinds: Iterable[str] = (), **parameters: Any
) -> tuple[Explanation, ...]:
    """Maps of `kinds`, by default of every kind that is defined for `method`, fixed before moved.

    Slices are explained one by one, each as a whole and also where the method sees volumes. Where the moved image
    holds nothing, it explains nothing. Raises `ParameterError` for a method that is not learned and for a kind that
    is not defined for it, else what `fuse` raises.
    """
    chosen = choose("fusion method", METHODS, method, parameters)
    wanted = require_kinds(method, kinds)
    pair = aligned_pair(fixed, moved, chosen.fixed_window, chosen.moved_window)  # type: ignore[attr-defined]
    asked = _Asked(chosen, fixed.grid.spacing_mm, fixed.device)
    found: dict[tuple[str, str], list[torch.Tensor]] = {}
    for first, second in zip(pair.fixed, pair.moved_or_fixed, strict=True):
        for kind in wanted:
            for of, plane in KINDS[kind](asked, first[None, None], second[None, None]).items():
                found.setdefault((kind, of), []).append(plane[0, 0].detach())
    return tuple(
        Explanation(kind, of, _where_shown(torch.stack(planes), of, pair.shown), fixed.grid, method)
        for (kind, of), planes in found.items()
    )


def explanation_kinds(method: str) -> tuple[str, ...]:
    """The kinds of `KINDS` that are defined for a method of `METHODS`; none for one that is not learned.

    `relevance` is for networks that give the fused image themselves, `class_activation` for convolutions, `attention`
    for transformers.
    """
    kind = METHODS.get(method)
    if not isinstance(kind, type) or not issubclass(kind, LearnedMethod | LearnedBands | Bounded | Display):
        return ()
    if issubclass(kind, Bounded | Display):
        return ("saliency",)
    modules = list(load_network(kind.network).modules())
    whole = issubclass(kind, LearnedMethod)
    return (
        "saliency",
        *(("class_activation",) if any(isinstance(module, nn.Conv2d) for module in modules) else ()),
        *(("relevance",) if whole else ()),
        *(("attention",) if whole and any(isinstance(module, nn.MultiheadAttention) for module in modules) else ()),
    )


def require_kinds(method: str, kinds: Iterable[str] = ()) -> tuple[str, ...]:
    """`kinds`, or all that are defined for `method`; `ParameterError` where one is not, or none is."""
    known = explanation_kinds(method)
    if not known:
        raise ParameterError(f"the fusion method {method!r} is not learned: there is no network to explain")
    wanted = tuple(dict.fromkeys(kinds)) or known
    undefined = [kind for kind in wanted if kind not in known]
    if undefined:
        raise ParameterError(f"{', '.join(undefined)} is not defined for {method!r}; there are {', '.join(known)}")
    return wanted


class _Asked(nn.Module):
    """A method as a network: a function of two planes whose layers can be listened to."""

    def __init__(self, method: Method, spacing_mm: tuple[float, float, float], device: torch.device) -> None:
        super().__init__()
        name = method.network if isinstance(method, LearnedMethod | LearnedBands) else NETWORK
        self.network = load_network(name, device)
        self.method = method
        self.spacing_mm = spacing_mm

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Planes (1, 1, row, column) twice to the fused one."""
        if isinstance(self.method, LearnedMethod):
            return self.method.fuse(self.network, first, second)
        if isinstance(self.method, LearnedBands):
            return self.method.fused(self.network, first[0].clone(), second[0].clone(), self.spacing_mm)[None]
        # `display` lifts this mixture by fixed shares of its sources.
        return mixture(first, second, _share(self.network, first, second, self.spacing_mm[1:]))


def _share(network: nn.Module, first: torch.Tensor, second: torch.Tensor, spacing: tuple[float, float]) -> torch.Tensor:
    """The weight with its own slope: `settled` passes on that of a smoother one, to learn from."""
    if not isinstance(network, MixtureWeights):
        raise TypeError("the network gives no mixture")
    return ((1 + 2 * STRETCH) * torch.sigmoid(network.logits(first, second, spacing)) - STRETCH).clamp(0, 1)


def _both(maps: tuple[torch.Tensor, torch.Tensor]) -> Maps:
    return {"fixed": maps[0], "moved": maps[1]}


KINDS: Mapping[str, Callable[[nn.Module, torch.Tensor, torch.Tensor], Maps]] = MappingProxyType(
    {
        "saliency": lambda network, first, second: _both(saliency(network, first, second)),
        "class_activation": lambda network, first, second: {"both": class_activation(network, first, second)},
        "relevance": lambda network, first, second: _both(relevance(network, first, second)),
        "attention": attended_places,
    }
)
"""Every kind of explanation by its name."""


def _where_shown(voxels: VoxelArray, of: str, shown: torch.Tensor | None) -> VoxelArray:
    return voxels if shown is None or of == "fixed" else torch.where(shown, voxels, 0.0)
