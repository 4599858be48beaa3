"""The quantity behind the integers where the IOD itself has no word for it."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fusion.volume import Unit

from .elements import code
from .stored_values import StoredValues

UNIT_MEANINGS = {
    Unit.HU: "Hounsfield unit",
    Unit.SUV_BW: "Standardized Uptake Value body weight",
    Unit.SUV_LBM: "Standardized Uptake Value lean body mass",
    Unit.SUV_BSA: "Standardized Uptake Value body surface area",
    Unit.SUV_IBW: "Standardized Uptake Value ideal body weight",
    Unit.BQ_ML: "Becquerels/milliliter",
    Unit.COUNTS: "Counts",
    Unit.PROPORTIONAL_COUNTS: "Proportional counts",
    Unit.ARBITRARY: "no units",
}
"""Code meanings of PS3.16 CID 82, 84 and 85."""


def unit_code(unit: Unit) -> Dataset:
    """The unit in UCUM."""
    return code(unit.value, "UCUM", UNIT_MEANINGS[unit])


def add_real_world_values(dataset: Dataset, values: StoredValues, unit: Unit) -> None:
    """Rescale Slope for readers of every age, and a Real World Value Mapping over the whole stored range."""
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", values.slope, "US"
    mapping = Dataset()
    signed = values.signed
    representation = "SS" if signed else "US"
    mapping.add_new("RealWorldValueFirstValueMapped", representation, -32768 if signed else 0)
    mapping.add_new("RealWorldValueLastValueMapped", representation, 32767 if signed else 65535)
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = float(values.slope)
    mapping.LUTLabel = "QUANTITY"
    mapping.LUTExplanation = UNIT_MEANINGS[unit]
    mapping.MeasurementUnitsCodeSequence = Sequence([unit_code(unit)])
    dataset.RealWorldValueMappingSequence = Sequence([mapping])
