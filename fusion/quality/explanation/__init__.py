"""Why a learned method answered as it did: maps on the planes that it saw, one kind a file.

Every map is (n, 1, row, column), one for each of the two images, not negative unless said otherwise. Networks are
functions of two batches of planes (n, 1, row, column).
"""

from .attention import attended_places, attention_maps
from .class_activation import class_activation
from .explain import KINDS, Explanation, explain, explanation_kinds, require_kinds
from .relevance import relevance
from .saliency import saliency

__all__ = [
    "KINDS",
    "Explanation",
    "attended_places",
    "attention_maps",
    "class_activation",
    "explain",
    "explanation_kinds",
    "relevance",
    "require_kinds",
    "saliency",
]
