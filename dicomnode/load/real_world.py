"""Real World Value Mapping of PET and NM objects that name no Units (PS3.3 C.7.6.16.2.11)."""

from dataclasses import dataclass

from fusion.volume import Unit

from .headers import FrameHeader, as_number, filled

UNITS = {
    "Bq/ml": Unit.BQ_ML,
    "{counts}": Unit.COUNTS,
    "{propcounts}": Unit.PROPORTIONAL_COUNTS,
    "g/ml{SUVbw}": Unit.SUV_BW,
    "{SUVbw}g/ml": Unit.SUV_BW,
    "g/ml{SUVlbm}": Unit.SUV_LBM,
    "{SUVlbm}g/ml": Unit.SUV_LBM,
    "g/ml{SUVibw}": Unit.SUV_IBW,
    "{SUVibw}g/ml": Unit.SUV_IBW,
    "cm2/ml{SUVbsa}": Unit.SUV_BSA,
    "{SUVbsa}cm2/ml": Unit.SUV_BSA,
}
"""By UCUM code, in the order of PS3.16 CID 84 and 85 and in that of older editions."""


@dataclass(frozen=True, slots=True)
class RealWorldMapping:
    """Stored value · `slope` + `intercept` is the quantity in `unit`."""

    slope: float
    intercept: float
    unit: Unit


def mapping_of(header: FrameHeader) -> RealWorldMapping | None:
    """The frame's first linear mapping to a unit that is known here; None where Units says what the values are."""
    if filled(header.dataset, "Modality") not in ("PT", "NM") or header.get("Units") is not None:
        return None
    for groups in (header.per_frame, header.shared, header.dataset):
        items = None if groups is None else filled(groups, "RealWorldValueMappingSequence")
        for item in items or ():
            slope, intercept = (as_number(filled(item, f"RealWorldValue{end}")) for end in ("Slope", "Intercept"))
            codes = filled(item, "MeasurementUnitsCodeSequence")
            unit = None if codes is None else UNITS.get(str(filled(codes[0], "CodeValue")))
            if slope is not None and intercept is not None and unit is not None:
                return RealWorldMapping(slope, intercept, unit)
    return None
