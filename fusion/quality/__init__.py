"""Whether a registration can be trusted, and how good a fusion is."""

from ..registration.usable import unusable_reason
from .fusion_metrics import METRICS, Metric, measure
from .gate import Limits, assess, rejected
from .lesion_contrast import LesionContrast, lesion_contrast
from .report import QualityReport, Verdict

__all__ = [
    "METRICS",
    "LesionContrast",
    "Limits",
    "Metric",
    "QualityReport",
    "Verdict",
    "assess",
    "lesion_contrast",
    "measure",
    "rejected",
    "unusable_reason",
]
