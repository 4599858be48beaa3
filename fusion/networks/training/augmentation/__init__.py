"""What makes few images many, one kind a file: each takes a batch and a generator, and changes nothing in place.

Both images of a pair are moved alike; their brightness is changed apart from each other, as windows are.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch

from ..pairs import Batch
from .cutmix import CutMix
from .geometric import Geometric
from .mixup import Mixup
from .photometric import Photometric
from .style import Style

Augmentation: TypeAlias = Callable[[Batch, torch.Generator], Batch]

STANDARD: tuple[Augmentation, ...] = (Geometric(), Photometric(), Style(), CutMix(), Mixup())
"""What a recipe uses when it says nothing else; patches and balanced classes are always used."""

__all__ = ["STANDARD", "Augmentation", "CutMix", "Geometric", "Mixup", "Photometric", "Style"]
