"""Mixup: pairs blended with other pairs.

Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018 (`zhang2018mixup`), section 2: here without labels, both images of a
pair by the same share, so that they stay aligned.
"""

from dataclasses import dataclass

import torch

from ..pairs import Batch


@dataclass(frozen=True, slots=True)
class Mixup:
    """For a `share` of the pairs; the other one counts by up to `strongest`."""

    share: float = 0.1
    strongest: float = 0.5

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch of which some are mixtures."""
        drawn = torch.rand(2, len(batch.first), 1, 1, 1, generator=generator)
        weight = self.strongest * drawn[0] * (drawn[1] < self.share)
        first, second = (image * (1 - weight) + image.roll(1, 0) * weight for image in (batch.first, batch.second))
        return batch.with_images(first, second)
