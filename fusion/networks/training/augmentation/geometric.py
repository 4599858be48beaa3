"""Flips, quarter turns, and small rotations and scalings."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..pairs import Batch


@dataclass(frozen=True, slots=True)
class Geometric:
    """Both images of a pair alike: mirrored, turned by quarters, and for a `share` of them turned and scaled a little.

    `largest_angle_rad`, and `largest_scale` as a ratio on both sides of 1.
    """

    share: float = 0.25
    largest_angle_rad: float = 0.3
    largest_scale: float = 1.2

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A moved batch; crops are square or quarter turns would change their shape."""
        both = torch.cat([batch.first, batch.second], dim=1)
        moved = []
        for image in both:
            choice = int(torch.randint(8, (1,), generator=generator))
            turned = torch.rot90(image, choice % 4, (1, 2)) if image.shape[1] == image.shape[2] else image
            moved.append(turned.flip(2) if choice >= 4 else turned)
        both = torch.stack(moved)
        drawn = torch.rand(len(both), 3, generator=generator)
        if bool((drawn[:, 0] < self.share).any()):
            both = functional.grid_sample(
                both, self._grid(both, drawn), mode="bilinear", padding_mode="border", align_corners=False
            )
        return batch.with_images(both[:, :1], both[:, 1:])

    def _grid(self, both: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        chosen = (drawn[:, 0] < self.share).float()
        angle = chosen * (2 * drawn[:, 1] - 1) * self.largest_angle_rad
        scale = torch.exp(chosen * (2 * drawn[:, 2] - 1) * math.log(self.largest_scale))
        zero = torch.zeros_like(angle)
        rows = (
            torch.stack([scale * angle.cos(), -scale * angle.sin(), zero], dim=1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), zero], dim=1),
        )
        return functional.affine_grid(torch.stack(rows, dim=1), list(both.shape), align_corners=False)
