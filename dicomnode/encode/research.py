"""What every derived image carries about what it is for, and about its own history."""

from pydicom.dataset import Dataset

from .inputs import EncodeInputs
from .provenance import add_equipment_chain, add_lossy_history


def add_research_flags(dataset: Dataset, inputs: EncodeInputs, *, burned_in: bool = False) -> None:
    """Not approved hardware or software: RESEARCH (PS3.3 C.8.13.2.1.1), and the sources' equipment and losses.

    Burned In Annotation asks about identity; it is YES for any text here, because who filters by it wants to look.
    """
    dataset.ContentQualification = "RESEARCH"
    sources = (inputs.fixed_headers[0], inputs.moving.headers[0])
    inherited = any(header.get("BurnedInAnnotation") == "YES" for header in sources)
    dataset.BurnedInAnnotation = "YES" if burned_in or inherited else "NO"
    add_lossy_history(dataset, inputs)
    add_equipment_chain(dataset, inputs)
