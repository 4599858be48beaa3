"""What the encoder is handed, and what it hands back."""

from dataclasses import dataclass, field
from datetime import datetime

from pydicom.dataset import Dataset

from fusion.methods.method import Fused
from fusion.quality.explanation import Explanation
from fusion.quality.report import QualityReport, Verdict
from fusion.registration.registrar import Registration
from fusion.volume import Volume
from storage.records import FusionPlan, SeriesChoice


@dataclass(frozen=True, slots=True)
class Equipment:
    """Who made the derived objects: the General Equipment module (PS3.3 C.7.5.1)."""

    manufacturer: str
    model_name: str
    software_versions: str
    device_serial_number: str
    station_name: str = ""
    institution_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class MovingResult:
    """One moving series of a plan with everything that was made of it.

    `headers` are its instances without pixel data, in the order of the slices of `volume`; `moved` lies on the
    fixed grid. `explanations` are the maps that the recipe asks for of a learned method.
    """

    choice: SeriesChoice
    headers: tuple[Dataset, ...] = field(repr=False)
    volume: Volume
    moved: Volume
    registration: Registration
    fused: Fused
    report: QualityReport
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EncodeInputs:
    """Everything that a derived object says about itself.

    `position` is the index of the moving series in the plan; `replaces` is the key of the plan whose delivered results
    these take the place of, if any. `filing_header` is an instance of the study in which
    the results are filed. `created_at` is aware.
    """

    plan: FusionPlan
    fixed_headers: tuple[Dataset, ...] = field(repr=False)
    fixed: Volume
    moving: MovingResult
    position: int
    filing_header: Dataset = field(repr=False)
    equipment: Equipment
    created_at: datetime
    replaces: str = ""

    @property
    def pair(self) -> str:
        """Short, for descriptions: what was put on what."""
        return f"{self.moving.volume.modality} on {self.fixed.modality}"

    @property
    def verdict(self) -> Verdict:
        """Whether the result may be shown unseen."""
        return self.moving.report.verdict


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSeries:
    """One derived series, its instances ready to be written. `kind` is the output's name in the recipe."""

    kind: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    description: str
    instances: tuple[Dataset, ...] = field(repr=False)
