"""A reader opens the results in OHIF: the fused and the registered series of a real patient are there and right."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from dicomnode.encode import EncodedSeries, Equipment, file_bytes
from dicomnode.load import LoadedSeries, load_series
from dicomnode.pipeline import carry_out
from dicomnode.send.storage_scu import send_files
from dicomnode.settings import PeerSettings, RecipeSettings
from storage.records import FusionPlan, SeriesChoice
from tests.fixtures.ohif import (
    Rgb,
    chromium_page,
    coloured_share,
    is_drawn,
    listed_series,
    open_study,
    pixels,
    screenshot,
    serve_ohif,
    show_series,
    viewports,
    wait_for_image,
)
from tests.fixtures.orthanc import Orthanc, require_orthanc

pytestmark = [pytest.mark.slow, pytest.mark.pacs, pytest.mark.data]


@dataclass
class Reader:
    """A browser in front of the archive, with the study that it opens and what was derived for it."""

    page: Page
    base_url: str
    study_instance_uid: str
    derived: tuple[EncodedSeries, ...]

    def open(self, mode: str = "viewer") -> None:
        open_study(self.page, self.base_url, self.study_instance_uid, mode)

    def description(self, kind: str) -> str:
        return next(series.description for series in self.derived if series.kind == kind)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    orthanc = Orthanc(require_orthanc(), tmp_path_factory.mktemp("viewer") / "orthanc")
    orthanc.start()
    yield orthanc
    orthanc.kill()


@pytest.fixture(scope="module")
def reader(archive: Orthanc, reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The CT and what was made of it and the PET; the original PET stays away, as one of another archive does."""
    patient = reference_data / "petctmr_sarcoma" / "STS_001"
    ct_files = sorted((patient / "CT" / "image").glob("*.dcm"))
    ct, pet = load_series(ct_files), load_series(sorted((patient / "PET" / "image").glob("*.dcm")))
    derived = fuse(ct, pet)
    folder = tmp_path_factory.mktemp("derived")
    files = list(ct_files)
    for instance in (instance for series in derived for instance in series.instances):
        files.append(folder / f"{instance.SOPInstanceUID}.dcm")
        files[-1].write_bytes(file_bytes(instance))
    peer = PeerSettings(ae_title=archive.ae_title, port=archive.port)
    assert send_files(peer, "NODE", files).complete
    with serve_ohif(archive.url) as base_url, chromium_page() as page:
        yield Reader(page, base_url, ct.headers[0].StudyInstanceUID, derived)


def fuse(fixed: LoadedSeries, moving: LoadedSeries) -> tuple[EncodedSeries, ...]:
    """The outputs of the default recipe."""
    plan = FusionPlan(
        fixed=choice(fixed),
        moving=(choice(moving),),
        recipe=RecipeSettings().recipe("default"),
        rule="PET on CT",
        file_in_study_uid=fixed.headers[0].StudyInstanceUID,
        identity_is_default=(True,),
    )
    loaded = {choice(series).series_instance_uid: series for series in (fixed, moving)}
    equipment = Equipment("dicomnode", "fusion node", "test", "0")
    return carry_out(plan, lambda chosen: loaded[chosen.series_instance_uid], equipment, datetime.now(UTC)).derived


def choice(series: LoadedSeries) -> SeriesChoice:
    header = series.headers[0]
    return SeriesChoice(
        header.SeriesInstanceUID,
        header.StudyInstanceUID,
        header.Modality,
        header.FrameOfReferenceUID,
        tuple(instance.SOPInstanceUID for instance in series.headers),
    )


def is_colourful(shown: Rgb) -> bool:
    return is_drawn(shown) and coloured_share(shown) > 0.1


def is_grey(shown: Rgb) -> bool:
    """The viewer's own coloured icons and frame are small."""
    return is_drawn(shown) and coloured_share(shown) < 0.05


def test_every_derived_series_can_be_opened(reader: Reader) -> None:
    page = reader.page
    reader.open()
    listed = listed_series(page)
    for series in reader.derived:
        assert any(series.description in text for text in listed), series.description
    screenshot(page, "ohif_study")

    show_series(page, reader.description("registered_series"))
    wait_for_image(page, viewports(page).first, is_grey)
    screenshot(page, "ohif_registered_series")

    show_series(page, reader.description("quality_report"))
    wait_for_image(page, viewports(page).first)
    screenshot(page, "ohif_quality_page")

    show_series(page, reader.description("fused_colour"))
    wait_for_image(page, viewports(page).first, is_colourful)
    screenshot(page, "ohif_fused_colour")

    # Its geometry is whole: the viewer reformats it in colour.
    page.locator('[data-cy="Layout"]').click()
    page.get_by_text("MPR", exact=True).first.click()
    page.wait_for_function("document.querySelectorAll('canvas.cornerstone-canvas').length >= 3")
    for number in range(3):
        wait_for_image(page, viewports(page).nth(number), is_colourful)
    screenshot(page, "ohif_fused_colour_mpr")


def test_ct_and_registered_pet_are_blended_by_the_viewer_itself(reader: Reader) -> None:
    page = reader.page
    reader.open("tmtv")
    page.wait_for_function("document.querySelectorAll('canvas.cornerstone-canvas').length >= 10")
    # Three rows of three: CT, PET (inverted), CT and PET in colour; beside them the projection.
    for number in range(3):
        wait_for_image(page, viewports(page).nth(number), is_grey)
    for number in range(6, 9):
        wait_for_image(page, viewports(page).nth(number), is_colourful)
    labels = page.locator('[data-cy="viewport-overlay-top-left"]').all_inner_texts()
    assert any("PT registered" in label for label in labels)
    assert not np.array_equal(pixels(viewports(page).nth(1)), pixels(viewports(page).nth(4)))
    screenshot(page, "ohif_tmtv")
