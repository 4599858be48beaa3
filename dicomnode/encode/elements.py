"""Copying elements from the headers of the sources, and building the small items that every object needs."""

import copy
import math
import warnings
from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import PersonName, format_number_as_ds


def copy_elements(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Put the elements named by `keywords` that `source` has into `target`, decoded, else verbatim.

    Text leaves its character set behind, so that `target` can be written in another one. Values that break the
    rules of their VR are copied as they are: they are the archive's own, and changing them would part the results
    from their study.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for keyword in keywords:
            if keyword in source:
                put(target, source[keyword])


def put(target: Dataset, element: DataElement) -> None:
    """Put a decoded copy of `element` into `target`."""
    target[element.tag] = DataElement(element.tag, element.VR, _plain(element), already_converted=True)


def _plain(element: DataElement) -> object:
    value = element.value
    if element.VR == "SQ":
        return Sequence([decoded(item) for item in value])
    if element.VR == "PN":
        return PersonName(str(value)) if element.VM <= 1 else [PersonName(str(name)) for name in value]
    return copy.copy(value)


def decoded(item: Dataset) -> Dataset:
    """A copy of `item` without a character set of its own."""
    result = Dataset()
    for element in item:
        if element.keyword != "SpecificCharacterSet":
            put(result, element)
    return result


def set_if_missing(target: Dataset, **values: object) -> None:
    """Give each keyword its value unless the data set has the attribute."""
    for keyword, value in values.items():
        if keyword not in target:
            setattr(target, keyword, value)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded concept (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def decimal(value: float) -> str:
    """`value` as a decimal string of at most 16 characters."""
    return format_number_as_ds(float(value) + 0.0)  # no negative zero


def decimals(values: ArrayLike) -> list[str]:
    """All `values`, flattened in C order, as decimal strings."""
    return [decimal(value) for value in np.asarray(values, dtype=np.float64).ravel()]


def date_of(moment: datetime) -> str:
    """DA."""
    return moment.strftime("%Y%m%d")


def time_of(moment: datetime) -> str:
    """TM, to the microsecond."""
    return moment.strftime("%H%M%S.%f")


def text(value: str, limit: int) -> str:
    """`value` cut to what its VR holds, without the backslash that would part it in two."""
    clean = value.replace("\\", "/")
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def millimetres(value: float) -> str:
    """A length for people, to a tenth; what could not be estimated says so."""
    return f"{value:.1f} mm" if math.isfinite(value) else "unknown"
