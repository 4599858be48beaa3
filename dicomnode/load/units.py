"""What the numbers of a series mean, and the factor that takes them there."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusion.volume import Unit

from .headers import FrameHeader, filled, texts
from .real_world import mapping_of
from .suv import suv_of

SUV_TYPES = {
    "": Unit.SUV_BW,
    "BW": Unit.SUV_BW,
    "LBM": Unit.SUV_LBM,
    "LBMJAMES128": Unit.SUV_LBM,
    "LBMJANMA": Unit.SUV_LBM,
    "IBW": Unit.SUV_IBW,
}
"""SUV Type (0054,1006) with Units GML; absent means body weight (PS3.3 C.8.9.1.1.3)."""

PET_UNITS = {"BQML": Unit.BQ_ML, "CNTS": Unit.COUNTS, "PROPCNTS": Unit.PROPORTIONAL_COUNTS}
MAPPED_UNITS = {unit: named for named, unit in PET_UNITS.items()}
SUV_UNITS: dict[str, Unit] = {"CM2ML": Unit.SUV_BSA} | {
    unit.value: unit for unit in (Unit.SUV_BW, Unit.SUV_LBM, Unit.SUV_IBW, Unit.SUV_BSA)
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """The unit of a series, what to multiply its rescaled values with, and what to tell a person."""

    unit: Unit
    factor: float = 1.0
    notes: tuple[str, ...] = ()


def quantity_of(modality: str, headers: Sequence[FrameHeader]) -> Quantity:
    """The quantity of a series from all of its frames. Never a guessed one: in doubt unchanged, with the reason."""
    if modality == "CT":
        return _ct(headers[0])
    if modality == "PT":
        return _pet(headers)
    if modality == "NM":
        return _nuclear_medicine(headers[0])
    return Quantity(Unit.ARBITRARY)


def _ct(header: FrameHeader) -> Quantity:
    kind = " ".join(texts(header.get("RescaleType")))
    if kind not in ("", "HU", "US"):
        return Quantity(Unit.ARBITRARY, notes=(f"Rescale Type is {kind}: the values are no Hounsfield units.",))
    if header.number("RescaleIntercept") is None and filled(header.dataset, "ModalityLUTSequence") is None:
        return Quantity(Unit.ARBITRARY, notes=("There is no rescale: the values are no Hounsfield units.",))
    return Quantity(Unit.HU)


def _nuclear_medicine(header: FrameHeader) -> Quantity:
    if texts(header.get("Units")) == ("BQML",):
        return Quantity(Unit.BQ_ML)
    mapping = mapping_of(header)
    return Quantity(Unit.COUNTS if mapping is None else mapping.unit)


def _pet(headers: Sequence[FrameHeader]) -> Quantity:
    units = {_pet_units(header) for header in headers}
    if len(units) > 1:
        return Quantity(Unit.ARBITRARY, notes=("The slices have different Units; the values were left unchanged.",))
    named = units.pop()
    if named == "GML":
        return _already_suv(headers[0])
    if named in ("BQML", "CNTS"):
        suv = suv_of(named, headers)
        if suv.factor is not None:
            return Quantity(Unit.SUV_BW, suv.factor, suv.notes)
        return Quantity(PET_UNITS[named], notes=(f"No SUV: {suv.reason}; the values were left in {named}.",))
    if named in SUV_UNITS:
        return Quantity(SUV_UNITS[named])
    unit = PET_UNITS.get(named, Unit.ARBITRARY)
    return Quantity(unit, notes=(f"No SUV: Units is {named or 'empty'}; the values were left unchanged.",))


def _pet_units(header: FrameHeader) -> str:
    """Units (0054,1001), or the same said by a real world mapping in newer objects."""
    mapping = mapping_of(header)
    return " ".join(texts(header.get("Units"))) if mapping is None else MAPPED_UNITS.get(mapping.unit, mapping.unit)


def _already_suv(header: FrameHeader) -> Quantity:
    kind = " ".join(texts(header.get("SUVType")))
    if kind in SUV_TYPES:
        return Quantity(SUV_TYPES[kind])
    return Quantity(Unit.ARBITRARY, notes=(f"SUV Type {kind} is not known; the values were left unchanged.",))
