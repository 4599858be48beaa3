"""A network that sees two images and says how to bend one onto the other.

The form is that of VoxelMorph (Balakrishnan et al., IEEE TMI 38(8), 2019, `balakrishnan2019`): a U-Net over fixed and
moving image yields a stationary velocity, scaling and squaring integrates it to a field that cannot fold (Dalca et al.,
Med. Image Anal. 57, 2019, `dalca2019`), and training needs the images alone. Two things differ, for small
training sets: the images enter as descriptors that do not depend on the contrast (`heinrich2013`), and beside them the
network is given how well they match after each of 27 shifts (cost volume of PWC-Net, Sun et al., CVPR 2018, `sun2018`,
section 3), near and twice as far. The shift that these expect is where its velocity begins; it learns what to add.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional

from ..similarity.mind import CHANNELS, mind_ssc
from ..types import VoxelArray

SPACING_MM = 3.0
"""Of the images that the network sees."""

FIELD_STEP = 2
"""Voxels of the images for one of the velocity: bends of less than 6 mm are for the refinement."""

MULTIPLE = 8
"""The extents of the images are multiples of this: two halvings below the field."""

SQUARINGS = 5
"""Steps of scaling and squaring: of 20 mm, each of the 32 parts moves less than a tenth of a voxel of the field."""

SHARPNESS = 4.0
"""How much a better match counts before training; costs are in units of their typical size."""

SHIFTS = tuple(itertools.product((-1, 0, 1), repeat=3))


def descriptors(image: VoxelArray) -> torch.Tensor:
    """(slice, row, column) in 0…1 at `SPACING_MM` to (1, 12, slice, row, column)."""
    return mind_ssc(image).permute(3, 0, 1, 2)[None].contiguous()


class RegistrationUNet(nn.Module):
    """Descriptors of both images to a velocity in voxels of the images, at every second of them.

    `widths` are the channels at 6, 12 and 24 mm.
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 48, 64)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        seen = 2 * CHANNELS + len(SHIFTS)
        self.first = _convolved(seen, fine)
        self.down = nn.ModuleList([_convolved(fine + len(SHIFTS), middle), _convolved(middle, coarse)])
        self.bottom = _convolved(coarse, coarse)
        self.up = nn.ModuleList([_convolved(coarse + middle, middle), _convolved(middle + fine, fine)])
        self.last = _convolved(fine + 6, fine)
        self.sharpness = nn.Parameter(torch.full((2,), SHARPNESS))
        self.velocity = nn.Conv3d(fine, 3, 3, padding=1)
        # The first velocity is next to nothing: training begins at the identity.
        nn.init.normal_(self.velocity.weight, std=1e-4)
        if self.velocity.bias is not None:
            nn.init.zeros_(self.velocity.bias)

    def forward(self, fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """(1, 12, s, r, c) each, extents multiples of 8, to (1, 3, s/2, r/2, c/2)."""
        near, far = costs(fixed, moving, FIELD_STEP)
        small = [functional.avg_pool3d(image, FIELD_STEP) for image in (fixed, moving)]
        fine = self.first(torch.cat([*small, near], dim=1))
        middle = self.down[0](torch.cat([functional.avg_pool3d(fine, 2), far], dim=1))
        coarse = self.bottom(self.down[1](functional.avg_pool3d(middle, 2)))
        up = self.up[0](torch.cat([enlarged(coarse), middle], dim=1))
        up = self.up[1](torch.cat([enlarged(up), fine], dim=1))
        guesses = [
            expected_shift(near, self.sharpness[0]) * FIELD_STEP,
            enlarged(expected_shift(far, self.sharpness[1])) * 2 * FIELD_STEP,
        ]
        shift = smooth((guesses[0] + guesses[1]) / 2)
        velocity: torch.Tensor = self.velocity(self.last(torch.cat([up, *guesses], dim=1))) + shift
        return velocity

    def displacement(self, fixed: torch.Tensor, moving: torch.Tensor, passes: int = 1) -> torch.Tensor:
        """(1, 3, s, r, c): voxels along slice, row and column from fixed to moving.

        Each further pass sees the moving image as the ones before have bent it.
        """
        total = integrated(self(fixed, moving))
        for _ in range(passes - 1):
            bent = warped(moving, enlarged(total))
            more = integrated(self(fixed, bent))
            total = composed(more, total)
        return enlarged(total)


def costs(fixed: torch.Tensor, moving: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How unlike the descriptors are after shifts by `step` and by twice as much: (1, 27, …) at 1/2 and at 1/4.

    Each is relative to the mean over the shifts, in units of its typical size.
    """
    near = _costs(fixed, moving, step, pool=2)
    small_fixed, small_moving = (functional.avg_pool3d(image, 2) for image in (fixed, moving))
    return near, _costs(small_fixed, small_moving, step, pool=2)


def _costs(fixed: torch.Tensor, moving: torch.Tensor, step: int, pool: int) -> torch.Tensor:
    padded = functional.pad(moving, [step] * 6, mode="replicate")
    extent = fixed.shape[2:]
    found = []
    for shift in SHIFTS:
        begin = [step + step * part for part in shift]
        part = padded[
            :, :, begin[0] : begin[0] + extent[0], begin[1] : begin[1] + extent[1], begin[2] : begin[2] + extent[2]
        ]
        found.append((fixed - part).square().mean(dim=1, keepdim=True))
    volume = functional.avg_pool3d(torch.cat(found, dim=1), pool)
    volume = volume - volume.mean(dim=1, keepdim=True)
    return volume / (volume.square().mean().sqrt() + 1e-6)


def expected_shift(costs: torch.Tensor, sharpness: torch.Tensor) -> torch.Tensor:
    """(1, 27, …) to (1, 3, …) steps: the mean of the shifts, each weighed by how well it matches round about."""
    weights = torch.softmax(-sharpness * smooth(costs), dim=1)
    shifts = torch.tensor(SHIFTS, dtype=costs.dtype, device=costs.device)
    expected: torch.Tensor = torch.einsum("nkzyx,ki->nizyx", weights, shifts)
    return expected


def smooth(values: torch.Tensor) -> torch.Tensor:
    """The mean over 3 x 3 x 3 neighbours; the edge goes on."""
    return functional.avg_pool3d(functional.pad(values, [1] * 6, mode="replicate"), 3, stride=1)


def _convolved(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2))


def enlarged(values: torch.Tensor) -> torch.Tensor:
    """Twice the extents, trilinear; voxel centres stay where they are in space."""
    larger: torch.Tensor = functional.interpolate(values, scale_factor=2, mode="trilinear", align_corners=False)
    return larger


def integrated(velocity: torch.Tensor) -> torch.Tensor:
    """The displacement after one unit of time, both in voxels of the images at every second of them."""
    displacement: torch.Tensor = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        displacement = composed(displacement, displacement)
    return displacement


def composed(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """`first`, then `second`: displacements in voxels of the images, at every second of them."""
    return first + warped(second, first / FIELD_STEP)


def warped(values: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """(1, channels, s, r, c) at each index plus `displacement` (1, 3, s, r, c), trilinear; the edge goes on."""
    extents = values.shape[2:]
    axes = [torch.arange(n, dtype=values.dtype, device=values.device) for n in extents]
    here = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None] + displacement
    scale = torch.tensor([2 / max(n - 1, 1) for n in extents], dtype=values.dtype, device=values.device)
    normalised = here.permute(0, 2, 3, 4, 1) * scale - 1
    sampled: torch.Tensor = functional.grid_sample(
        values, normalised.flip(-1), mode="bilinear", padding_mode="border", align_corners=True
    )
    return sampled
