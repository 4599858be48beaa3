"""An algorithm by its name in a table, with its parameters; what is misspelt is named."""

import inspect
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
    try:
        return table[name](**parameters)
    except TypeError as error:
        raise ParameterError(f"a parameter of the {kind} {name!r} is of the wrong type: {error}") from error
