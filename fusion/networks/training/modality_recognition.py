"""Training of the feature network: to name the modality of an image and how it is turned."""

import torch
from torch import nn
from torch.nn import functional

from ..feature_classifier import MODALITIES, TURNS
from .objective import Objective
from .pairs import Batch


class ModalityRecognition(Objective):
    """Cross-entropy over modality and quarter turn of single images."""

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        images = torch.cat([batch.first, batch.second])
        kinds = [pair[k] for k in (0, 1) for pair in batch.modalities]
        turns = torch.randint(TURNS, (len(images),), generator=generator)
        turned = torch.stack([image.rot90(int(turn), (1, 2)) for image, turn in zip(images, turns, strict=True)])
        modality = torch.tensor([MODALITIES.index(kind) for kind in kinds])
        labels = (modality * TURNS + turns).to(images.device)
        return functional.cross_entropy(network(turned), labels)
