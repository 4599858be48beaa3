"""TransMEF, in the form of TransFuse."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class TransMef(LearnedMethod):
    """Convolutions and a transformer side by side, taught by destroyed images (`qu2022`)."""

    name: ClassVar[str] = "trans_mef"
    network: ClassVar[str] = "trans_mef"
