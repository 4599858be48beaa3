"""Whether a registration can be trusted, and how good a fusion is."""

from ..registration.usable import unusable_reason
from .gate import Limits, assess, rejected
from .report import QualityReport, Verdict

__all__ = ["Limits", "QualityReport", "Verdict", "assess", "rejected", "unusable_reason"]
