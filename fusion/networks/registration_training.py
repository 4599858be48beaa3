"""Training of the registration network: generated bends of images, in generated contrasts, without any truth.

The images of one anatomy are bent by a smooth random field, cropped, turned and remapped to contrasts that no scanner
has (the recipe of SynthMorph, Hoffmann et al., IEEE TMI 41(3), 2022, `hoffmann2022`). The network sees the remapped
images; the loss compares the images before they were remapped, so that what it rewards is the alignment of anatomy:
local correlation in windows of two sizes (`avants2008`), or, where no two images of one contrast are to be had, the
squared distance of descriptors (`heinrich2013`), plus how uneven the field is (diffusion, `balakrishnan2019`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..errors import ParameterError
from ..geometry.smoothing import gaussian
from ..similarity.cross_correlation import standardised
from ..types import VoxelArray
from .registration_unet import (
    MULTIPLE,
    SPACING_MM,
    RegistrationUNet,
    composed,
    descriptors,
    enlarged,
    integrated,
    warped,
)

CROP = (40, 48, 40)
"""Voxels: half of a head."""

WINDOWS = (1.5, 3.0)
"""Standard deviations, in voxels, of the windows of the local correlation."""

WINDOW_WEIGHT = 0.05
"""Of the squared difference of standardised images, so that it is of the size of the descriptors' distance."""

OUTLIER = 2.0
"""Standard deviations from which a difference counts no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Images of one body on one grid of `SPACING_MM`, 0…1, one a contrast.

    `exact` says that they lie on each other to the voxel, so that one contrast may stand in the loss for another.
    """

    contrasts: tuple[VoxelArray, ...]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained; `smoothness` weighs the diffusion against the descriptors' distance."""

    steps: int = 600
    learning_rate: float = 1e-3
    smoothness: float = 0.02
    largest_mean_mm: float = 9.0
    seed: int = 20_000

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.smoothness < 0 or self.largest_mean_mm <= 0:
            raise ParameterError(f"a training has steps, a rate and bends above zero, not {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What the network sees and what the loss sees, (s, r, c) each; and the bend that was made, in voxels.

    `one_contrast` says whether the loss sees the same contrast twice.
    """

    seen: tuple[VoxelArray, VoxelArray]
    judged: tuple[VoxelArray, VoxelArray]
    one_contrast: bool
    bend: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """All that a training needs to go on where it stopped, bit for bit."""

    step: int
    network: dict[str, torch.Tensor]
    optimiser: dict[str, object]
    generator: torch.Tensor


Progress = Callable[[TrainingState, float], None]
"""Called after every step with the state and the loss; what it keeps is its own."""


def train(
    anatomies: Sequence[Anatomy],
    recipe: Recipe,
    progress: Progress,
    resumed: TrainingState | None = None,
) -> RegistrationUNet:
    """Train on generated pairs of `anatomies`; the same input and seed give the same weights on the same machine.

    Raises `ParameterError` where there is nothing to train on.
    """
    if not anatomies:
        raise ParameterError("there are no images to train on")
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = RegistrationUNet()
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    begin = 0
    if resumed is not None:
        network.load_state_dict(resumed.network)
        optimiser.load_state_dict(resumed.optimiser)
        generator.set_state(resumed.generator)
        begin = resumed.step
    for step in range(begin, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * _rate(step / recipe.steps)
        example = generated(anatomies, recipe, generator)
        loss = loss_of(network, example, recipe, passes=1 + step % 2)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        progress(_state(step + 1, network, optimiser, generator), float(loss.detach()))
    return network


def _state(
    step: int, network: RegistrationUNet, optimiser: torch.optim.Optimizer, generator: torch.Generator
) -> TrainingState:
    return TrainingState(step, network.state_dict(), optimiser.state_dict(), generator.get_state())


def _rate(done: float) -> float:
    """Rises over the first fiftieth, then falls along half a cosine."""
    return min(1.0, 50 * done + 0.02) * 0.5 * (1 + math.cos(math.pi * done))


def loss_of(network: RegistrationUNet, example: Example, recipe: Recipe, passes: int = 1) -> torch.Tensor:
    """How unlike the images are after the bend that the network finds, and how little that bend is smooth.

    With two passes the first is taken as given, and the second learns to end what it began.
    """
    fixed, moving = (descriptors(image) for image in example.seen)
    before = torch.zeros(1, 3, *(n // 2 for n in fixed.shape[2:]))
    if passes > 1:
        with torch.no_grad():
            before = integrated(network(fixed, moving))
            moving = warped(moving, enlarged(before))
    velocity = network(fixed, moving)
    field = composed(integrated(velocity), before)
    return unlikeness(example, enlarged(field)) + recipe.smoothness * diffusion(field)


def unlikeness(example: Example, displacement: torch.Tensor) -> torch.Tensor:
    """How unlike the judged images are after `displacement` (1, 3, s, r, c), voxels."""
    fixed, moving = example.judged
    if not example.one_contrast:
        return (descriptors(fixed) - warped(descriptors(moving), displacement)).square().mean()
    parts = []
    for sigma in WINDOWS:
        one, other = (standardised(image, (sigma,) * 3)[None, None] for image in (fixed, moving))
        parts.append((one - warped(other, displacement)).clamp(-OUTLIER, OUTLIER).square().mean())
    return WINDOW_WEIGHT * torch.stack(parts).sum()


def diffusion(field: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbouring displacements, voxels²."""
    parts = [(field.narrow(axis, 1, n - 1) - field.narrow(axis, 0, n - 1)).square().mean() for axis, n in _axes(field)]
    return torch.stack(parts).mean()


def _axes(field: torch.Tensor) -> list[tuple[int, int]]:
    return list(enumerate(field.shape))[2:]


def generated(anatomies: Sequence[Anatomy], recipe: Recipe, generator: torch.Generator) -> Example:
    """One random pair: an anatomy, two of its contrasts, a crop, a turn, a bend and a remapping of each."""
    anatomy = anatomies[_whole(len(anatomies), generator)]
    count = len(anatomy.contrasts)
    first, second = (anatomy.contrasts[_whole(count, generator)] for _ in range(2))
    first, second = _cropped(first, second, generator)
    first, second = _turned(first, second, generator)
    bend = random_bend(tuple(first.shape), _between(0.5, recipe.largest_mean_mm, generator) / SPACING_MM, generator)
    seen = remapped(first, generator), remapped(_bent(second, bend), generator)
    judged = first, _bent(first if anatomy.exact else second, bend)
    return Example(seen, judged, anatomy.exact, bend)


def random_bend(shape: tuple[int, ...], mean_voxels: float, generator: torch.Generator) -> torch.Tensor:
    """(1, 3, s, r, c): white noise smoothed over 12 to 24 mm, of the wanted mean length."""
    sigma = _between(12.0, 24.0, generator) / SPACING_MM
    noise = torch.randn(3, *shape, generator=generator)
    smooth = torch.stack([gaussian(part, (sigma, sigma, sigma)) for part in noise])[None]
    return smooth * (mean_voxels / smooth.square().sum(dim=1).sqrt().mean().clamp_min(1e-9))


def remapped(image: VoxelArray, generator: torch.Generator) -> VoxelArray:
    """The image in a contrast of its own: a random curve, a bias field, a blur, noise. Sometimes the curve is none."""
    knots = torch.rand(8, generator=generator)
    if _between(0, 1, generator) < 0.3:
        knots = torch.linspace(0, 1, 8)
    position = image.clamp(0, 1) * 7
    lower = position.floor().clamp_max(6)
    index = lower.long()
    curve = torch.lerp(knots[index], knots[index + 1], position - lower)
    bias = torch.randn(1, 1, 4, 4, 4, generator=generator)
    bias = functional.interpolate(bias, size=tuple(image.shape), mode="trilinear", align_corners=True)[0, 0]
    blur = _between(0, 0.6, generator)
    if blur > 0.3:
        curve = gaussian(curve, (blur, blur, blur))
    noise = torch.randn(image.shape, generator=generator) * _between(0, 0.05, generator)
    return curve * torch.exp(0.2 * bias) + noise


def random_shapes(generator: torch.Generator, extent: int = 48, labels: int = 12) -> Anatomy:
    """An anatomy that nobody has: at each voxel the largest of `labels` smooth noise fields, in a body with air round.

    `hoffmann2022`, section III.
    """
    noise = torch.randn(labels, extent, extent, extent, generator=generator)
    sigma = _between(2.0, 5.0, generator)
    label = torch.stack([gaussian(part, (sigma, sigma, sigma)) for part in noise]).argmax(dim=0)
    axis = torch.linspace(-1.2, 1.2, extent)
    radius = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).square().sum(dim=0).sqrt()
    wobble = gaussian(torch.randn(extent, extent, extent, generator=generator), (6.0, 6.0, 6.0))
    body = radius + 0.1 * wobble / wobble.std() < 1
    images = []
    for _ in range(2):
        values = torch.rand(labels, generator=generator)[label]
        texture = gaussian(torch.randn(label.shape, generator=generator), (1.0, 1.0, 1.0))
        images.append(torch.where(body, (values + 0.3 * texture).clamp(0, 1), 0.0))
    return Anatomy(tuple(images))


def _cropped(first: VoxelArray, second: VoxelArray, generator: torch.Generator) -> tuple[VoxelArray, VoxelArray]:
    """The same random part of both, of `CROP` or of what there is, down to a multiple of eight; smaller is padded."""
    missing = [max(0, MULTIPLE * 2 - n) for n in first.shape]
    padding = [side for n in reversed(missing) for side in (n // 2, n - n // 2)]
    parts = [functional.pad(image[None, None], padding, mode="replicate")[0, 0] for image in (first, second)]
    extents = [min(wanted, n // MULTIPLE * MULTIPLE) for wanted, n in zip(CROP, parts[0].shape, strict=True)]
    begins = [_whole(n - extent + 1, generator) for n, extent in zip(parts[0].shape, extents, strict=True)]
    where = tuple(slice(b, b + n) for b, n in zip(begins, extents, strict=True))
    return parts[0][where], parts[1][where]


def _turned(first: VoxelArray, second: VoxelArray, generator: torch.Generator) -> tuple[VoxelArray, VoxelArray]:
    """Both with their axes in another order and direction."""
    order = torch.randperm(3, generator=generator).tolist()
    flips = [axis for axis in range(3) if _between(0, 1, generator) < 0.5]
    one, other = (image.permute(order).flip(flips).contiguous() for image in (first, second))
    return one, other


def _bent(image: VoxelArray, bend: torch.Tensor) -> VoxelArray:
    return warped(image[None, None], bend)[0, 0]


def _whole(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (1,), generator=generator))


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))
