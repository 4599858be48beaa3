"""What the numbers of a series mean, and the factor that takes them there."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusion.volume import Unit

from .headers import FrameHeader, texts
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
    if kind in ("", "HU", "US"):
        return Quantity(Unit.HU)
    return Quantity(Unit.ARBITRARY, notes=(f"Rescale Type is {kind}: the values are no Hounsfield units.",))


def _nuclear_medicine(header: FrameHeader) -> Quantity:
    if texts(header.get("Units")) == ("BQML",):
        return Quantity(Unit.BQ_ML)
    return Quantity(Unit.COUNTS)


def _pet(headers: Sequence[FrameHeader]) -> Quantity:
    named = {" ".join(texts(header.get("Units"))) for header in headers}
    if len(named) > 1:
        return Quantity(Unit.ARBITRARY, notes=("The slices have different Units; the values were left unchanged.",))
    units = named.pop()
    if units == "GML":
        return _already_suv(headers[0])
    if units == "CM2ML":
        return Quantity(Unit.SUV_BSA)
    if units in ("BQML", "CNTS"):
        outcome = suv_of(units, headers)
        if outcome.factor is not None:
            return Quantity(Unit.SUV_BW, outcome.factor, outcome.notes)
        return Quantity(PET_UNITS[units], notes=(f"No SUV: {outcome.reason}; the values were left in {units}.",))
    unit = PET_UNITS.get(units, Unit.ARBITRARY)
    return Quantity(unit, notes=(f"No SUV: Units is {units or 'empty'}; the values were left unchanged.",))


def _already_suv(header: FrameHeader) -> Quantity:
    kind = " ".join(texts(header.get("SUVType")))
    if kind in SUV_TYPES:
        return Quantity(SUV_TYPES[kind])
    return Quantity(Unit.ARBITRARY, notes=(f"SUV Type {kind} is not known; the values were left unchanged.",))
