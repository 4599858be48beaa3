"""Other windows, other gammas, a little noise: the brightness of each image by itself."""

from dataclasses import dataclass

import torch

from ..pairs import Batch


@dataclass(frozen=True, slots=True)
class Photometric:
    """A window whose ends move by up to `window` of the range, a gamma of `gamma` to its inverse, Gaussian noise.

    Noise has a standard deviation of up to `noise`, in a quarter of the images, and only where there is signal: air
    that a window has made black stays black.
    """

    window: float = 0.2
    gamma: float = 0.7
    noise: float = 0.02

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A batch of other brightness in 0…1."""
        return batch.with_images(self._changed(batch.first, generator), self._changed(batch.second, generator))

    def _changed(self, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        drawn = torch.rand(4, len(image), 1, 1, 1, generator=generator)
        lower, upper = self.window * drawn[0] / 2, 1 + self.window * (drawn[1] - 0.5) * 2
        exponent = self.gamma ** (2 * drawn[2] - 1)
        changed = ((image - lower) / (upper - lower)).clamp(0, 1) ** exponent
        strength = self.noise * (drawn[3] - 0.75).clamp_min(0) * 4
        noise = torch.randn(image.shape, generator=generator) * strength
        return torch.where(changed > 0, changed + noise, changed).clamp(0, 1)
