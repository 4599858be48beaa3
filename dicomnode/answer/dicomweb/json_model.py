"""Attributes and headers in the DICOM JSON model (PS3.18 Annex F)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement

from storage.json_records import json_text

PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""

INLINE_BYTES = 1024
"""Longer binary values are given by address (PS3.18 F.2.6)."""

DEFERRED_BYTES = 64 << 10
"""Longer values are not read with the header."""

Json = dict[str, Any]


def attributes_json(attributes: Mapping[str, Any]) -> Json:
    """Values by keyword."""
    found = {}
    for keyword, value in attributes.items():
        tag = tag_for_keyword(keyword)
        if tag is not None:
            vr = dictionary_VR(tag)
            found[f"{tag:08X}"] = _element(vr, value)
    return dict(sorted(found.items()))


def _element(vr: str, value: Any) -> Json:
    values = [one for one in (value if isinstance(value, (list, tuple)) else [value]) if one not in (None, "")]
    if not values:
        return {"vr": vr}
    if vr == "PN":
        groups = ("Alphabetic", "Ideographic", "Phonetic")
        named = [dict(zip(groups, str(one).split("="), strict=False)) for one in values]
        return {"vr": vr, "Value": [{group: text for group, text in one.items() if text} for one in named]}
    if vr in ("IS", "US", "UL", "SS", "SL"):
        return {"vr": vr, "Value": [_number(one) for one in values]}
    return {"vr": vr, "Value": [str(one) for one in values]}


def _number(value: Any) -> int | str:
    """PS3.18 F.2.3.1 has numbers; what a header wrote instead stays as it is."""
    try:
        return int(value)
    except ValueError:
        return str(value)


def header_json(path: Path, bulk_url: str) -> str:
    """The header of a file; what is binary and long, and pixels, are named by their address below `bulk_url`.

    Memory: the header without values that are longer than `DEFERRED_BYTES`, one of these at a time.
    """
    dataset = dcmread(path, defer_size=DEFERRED_BYTES)
    pixels = [tag for tag in PIXELS if tag in dataset]
    addresses: Json = {}
    for tag in pixels:
        raw: Any = dataset.get_item(tag, keep_deferred=True)
        vr = str(raw.VR) if raw is not None and raw.VR else "OW"
        addresses[f"{tag:08X}"] = {"vr": vr, "BulkDataURI": f"{bulk_url}/{tag:08X}"}
        del dataset[tag]
    places = {id(element): place for place, element in _elements(dataset)}
    found = dataset.to_json_dict(
        bulk_data_threshold=INLINE_BYTES,
        bulk_data_element_handler=lambda element: f"{bulk_url}/{places[id(element)]}",
        suppress_invalid_tags=True,
    )
    return json_text({**found, **addresses})


def _elements(dataset: Dataset, above: str = "") -> Iterator[tuple[str, DataElement]]:
    """Every element with its place: tags, and numbers of items counted from 0, with slashes between."""
    for element in dataset:
        place = f"{above}{int(element.tag):08X}"
        yield place, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _elements(item, f"{place}/{number}/")
