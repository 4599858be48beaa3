"""How long to wait after failures."""

from datetime import timedelta


def growing(first_s: float, failures: int, longest_s: float) -> timedelta:
    """Doubled with each failure, up to the longest."""
    return timedelta(seconds=min(first_s * 2.0 ** min(failures, 32), max(first_s, longest_s)))
