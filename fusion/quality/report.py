"""The verdict on a registration, with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """Whether a fusion may be shown without a person having looked at it."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was measured about a registration and what follows from it.

    `reasons` are sentences for people; the first one is the one that decided. `expected_error_mm` and
    `error_bound_mm` are finite for `accept` and `review`. `measures` by name, each name ending in its unit where it
    has one.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    expected_error_mm: float
    error_bound_mm: float
    similarity_name: str
    similarity: float
    measures: Mapping[str, float] = field(default_factory=dict)
