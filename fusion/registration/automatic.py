"""The registrar for everyday use: trusts and verifies a shared Frame of Reference, searches where there is none."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..volume import Volume
from .identity import IdentityRegistrar
from .registrar import Registration
from .rigid import RigidRegistrar, parameters_of


@dataclass(frozen=True, slots=True)
class AutomaticRegistrar:
    """Chooses between the header's transform and a search.

    `identity_is_default` says whether both images were acquired in one examination on one couch; None decides by an
    equal, non-empty Frame of Reference. Motion between the acquisitions is measured and left to the gate: the
    transform is never changed silently.
    """

    identity_is_default: bool | None = None
    seed: int = 20_000

    name: ClassVar[str] = "auto"

    def __call__(self, fixed: Volume, moving: Volume) -> Registration:
        """Register `moving` to `fixed` with the registrar that the headers call for."""
        chosen = self.chosen_for(fixed, moving)
        result = chosen(fixed, moving)
        return replace(result, parameters={**parameters_of(self), chosen.name: result.parameters})

    def chosen_for(self, fixed: Volume, moving: Volume) -> IdentityRegistrar | RigidRegistrar:
        """The registrar that the headers of the pair call for."""
        by_header = self.identity_is_default
        if by_header is None:
            uid = fixed.grid.frame_of_reference_uid
            by_header = bool(uid) and uid == moving.grid.frame_of_reference_uid
        return IdentityRegistrar(seed=self.seed) if by_header else RigidRegistrar(seed=self.seed)
