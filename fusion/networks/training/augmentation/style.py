"""Other scanners' looks: histograms exchanged between images of a batch (domain adaptation without a network)."""

from dataclasses import dataclass

import torch

from ..pairs import Batch


@dataclass(frozen=True, slots=True)
class Style:
    """For a `share` of the images: brightness by rank from the next pair's image, by up to `strongest`.

    Exact histogram specification (Coltuc, Bolon and Chassery, IEEE TIP 15(5), 2006, `coltuc2006`) without its tie
    breaking; black stays black.
    """

    share: float = 0.2
    strongest: float = 1.0

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch of which some images look like others."""
        return batch.with_images(self._styled(batch.first, generator), self._styled(batch.second, generator))

    def _styled(self, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        drawn = torch.rand(2, len(image), 1, 1, 1, generator=generator)
        weight = self.strongest * drawn[0] * (drawn[1] < self.share)
        if not bool((weight > 0).any()):
            return image
        flat = image.flatten(1)
        wanted = flat.roll(1, 0).sort(dim=1).values
        ranks = flat.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
        styled = wanted.gather(1, ranks).reshape(image.shape)
        styled = torch.where(image > 0, styled, 0.0)
        return image * (1 - weight) + styled * weight
