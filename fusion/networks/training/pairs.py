"""What is trained on: pairs of aligned planes, and batches of crops of them."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPair:
    """Two aligned planes (row, column), float32 in 0…1, of one case.

    `modalities` says what each is, as DICOM does (CT, MR, PT, NM); `case` is the patient, so that no patient is on
    both sides of a split.
    """

    first: torch.Tensor
    second: torch.Tensor
    modalities: tuple[str, str]
    case: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops (n, 1, row, column), float32 in 0…1, and the modalities of each pair."""

    first: torch.Tensor
    second: torch.Tensor
    modalities: tuple[tuple[str, str], ...]

    def with_images(self, first: torch.Tensor, second: torch.Tensor) -> "Batch":
        """The same pairs with other images."""
        return replace(self, first=first, second=second)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on `device`."""
        return self.with_images(self.first.to(device), self.second.to(device))
