"""An algorithm by its name in a table, with its parameters; what is misspelt is named."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import ParameterError, UnknownNameError

Algorithm = TypeVar("Algorithm")


def choose(
    kind: str, table: Mapping[str, Callable[..., Algorithm]], name: str, parameters: Mapping[str, Any]
) -> Algorithm:
    """`table[name](**parameters)`. `kind` says in messages what the table holds.

    Raises `UnknownNameError` for a name that the table lacks and `ParameterError` for a parameter that the
    algorithm lacks or cannot take.
    """
    if name not in table:
        raise UnknownNameError(kind, name, table)
    known = inspect.signature(table[name]).parameters
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ParameterError(
            f"the {kind} {name!r} has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(sorted(known))}"
        )
    for parameter, value in parameters.items():
        _refuse_other_kinds(parameter, value, known[parameter].annotation)
    try:
        return table[name](**parameters)
    except TypeError as error:
        raise ParameterError(f"a parameter of the {kind} {name!r} is of the wrong type: {error}") from error


def _refuse_other_kinds(name: str, value: Any, kind: object) -> None:
    """What a person writes for a number must be one; True would pass as 1 and fail deep inside."""
    if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ParameterError(f"{name} is a whole number, not {value!r}")
    if kind is float and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
        raise ParameterError(f"{name} is a finite number, not {value!r}")
    if kind is bool and not isinstance(value, bool):
        raise ParameterError(f"{name} is true or false, not {value!r}")
