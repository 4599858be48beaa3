"""Whether the node is well: checks that are handed in, so that this module knows neither network nor database."""

from collections.abc import Callable, Mapping

from .logs import describe

Check = Callable[[], object]
"""Returns when all is well, raises when it is not."""


def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """For each check "ok" or what is wrong."""
    results: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever fails is what is asked for
            results[name] = describe(error)
        else:
            results[name] = "ok"
    return results
