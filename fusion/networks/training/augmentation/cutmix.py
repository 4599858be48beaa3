"""CutMix: a rectangle of one pair pasted into another.

Yun et al., ICCV 2019 (`yun2019`), section 3.1: here without labels, both images of a pair at the same place.
"""

from dataclasses import dataclass

import torch

from ..pairs import Batch


@dataclass(frozen=True, slots=True)
class CutMix:
    """For a `share` of the pairs; the rectangle's sides are up to `largest` of the crop's."""

    share: float = 0.1
    largest: float = 0.6

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch of which some hold a rectangle of their neighbour."""
        first, second = batch.first.clone(), batch.second.clone()
        rows, columns = first.shape[-2:]
        drawn = torch.rand(len(first), 5, generator=generator).tolist()
        for n, (chance, high, wide, top, left) in enumerate(drawn):
            if chance >= self.share:
                continue
            height, width = int(high * self.largest * rows), int(wide * self.largest * columns)
            row, column = int(top * (rows - height)), int(left * (columns - width))
            place = (slice(None), slice(row, row + height), slice(column, column + width))
            first[n][place] = batch.first[n - 1][place]
            second[n][place] = batch.second[n - 1][place]
        return batch.with_images(first, second)
