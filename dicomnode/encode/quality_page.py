"""The quality page: one picture on which a person sees whether the registration can be trusted, and why it was made.

Checkerboard and contours in three planes through the middle of what was moved, the verdict, the expected error, and
what was matched for which reasons. It names no patient.
"""

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from storage.records import SeriesChoice

from .colour_pixels import add_colour_pixels
from .derived_series import PURPOSE, begin, finish, identify
from .elements import millimetres
from .inputs import EncodedSeries, EncodeInputs
from .label import VERDICT_COLOURS, WHITE, Picture, font, outlined
from .page_text import bulleted, drawable
from .patient_planes import PatientPlane
from .provenance import add_derivation
from .quality_panels import PLANES, panels_of
from .research import add_research_flags

NAME = "quality_page"
SERIES_OFFSET = 4
WIDTH = 1680
PANEL, GAP, MARGIN, HEADER, CAPTION, FOOTER = 360, 14, 24, 80, 34, 58
BACKGROUND, HEADER_COLOUR, FAINT, MARK = (18, 20, 24), (36, 40, 48), (158, 164, 174), (255, 255, 255)
TEXT_LEFT = MARGIN + 3 * (PANEL + GAP) + 14
TEXT_WIDTH = WIDTH - TEXT_LEFT - MARGIN
SCALE_MM = 50.0
UNIT_ENDINGS = ("mm", "deg", "s")

Block = tuple[str, tuple[str, ...]]
"""A heading and its sentences."""


def quality_page(inputs: EncodeInputs, kind: str) -> EncodedSeries:
    """A series of one Secondary Capture without geometry: it is a page, not a slice."""
    what = f"{inputs.pair} registration quality"
    identity = identify(inputs, NAME, SERIES_OFFSET, "OT", SecondaryCaptureImageStorage, what, kind)
    dataset = begin(inputs, identity)
    dataset.ImageType = ["DERIVED", "SECONDARY", "QUALITY"]
    dataset.ConversionType = "WSD"
    dataset.PatientOrientation = None
    dataset.ImageComments = f"{PURPOSE}. Quality of the registration {inputs.pair}."
    add_colour_pixels(dataset, page(inputs))
    add_derivation(dataset, inputs, (), fixed=inputs.fixed_headers, moving=inputs.moving.headers)
    add_research_flags(dataset, inputs, burned_in=True)
    return finish(identity, [dataset])


def page(inputs: EncodeInputs) -> Picture:
    """The picture, (height, WIDTH, 3); as high as its rows of panels."""
    panels = panels_of(inputs, PANEL)
    height = HEADER + 14 + len(panels.rows) * (CAPTION + PANEL + 10) + FOOTER
    canvas = Image.new("RGB", (WIDTH, height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    _draw_header(draw, inputs)
    for row, (caption, pictures) in enumerate(panels.rows):
        top = HEADER + 14 + row * (CAPTION + PANEL + 10)
        draw.text((MARGIN, top), caption, font=font(20), fill=WHITE, anchor="la")
        for column, picture in enumerate(pictures):
            corner = (MARGIN + column * (PANEL + GAP), top + CAPTION)
            canvas.paste(Image.fromarray(picture), corner)
            _draw_marks(draw, PLANES[column], corner, panels.mm_per_pixel[column])
    _draw_text(draw, inputs, height - FOOTER + 2)
    draw.text((TEXT_LEFT, height - 24), PURPOSE, font=font(22), fill=WHITE, anchor="ld")
    return np.asarray(canvas)


def _draw_header(draw: ImageDraw.ImageDraw, inputs: EncodeInputs) -> None:
    draw.rectangle([0, 0, WIDTH, HEADER], fill=HEADER_COLOUR)
    title = f"Registration of {inputs.moving.volume.modality} to {inputs.fixed.modality}"
    draw.text((MARGIN, HEADER // 2), title, font=font(32), fill=WHITE, anchor="lm")
    verdict, colour = inputs.verdict.value.upper(), VERDICT_COLOURS[inputs.verdict]
    width = int(font(32).getlength(verdict)) + 36
    left = WIDTH - MARGIN - width
    draw.rounded_rectangle([left, 16, left + width, HEADER - 16], radius=10, fill=colour)
    draw.text((left + width // 2, HEADER // 2), verdict, font=font(32), fill=(0, 0, 0), anchor="mm")
    error = f"expected error {millimetres(inputs.moving.report.expected_error_mm)}"
    draw.text((left - 24, HEADER // 2), error, font=font(24), fill=WHITE, anchor="rm")


def _draw_marks(draw: ImageDraw.ImageDraw, plane: PatientPlane, corner: tuple[int, int], mm_per_pixel: float) -> None:
    """Sides, the plane's name, and a bar of known length."""
    x, y = corner
    first, second = plane.letters
    outlined(draw, (x + 6, y + PANEL // 2), first, font(20), MARK, anchor="lm")
    outlined(draw, (x + PANEL - 6, y + PANEL // 2), second, font(20), MARK, anchor="rm")
    outlined(draw, (x + 8, y + 6), plane.name, font(16), MARK, anchor="la")
    bar = round(SCALE_MM / mm_per_pixel)
    if bar < PANEL // 2:
        right, bottom = x + PANEL - 10, y + PANEL - 10
        draw.line([(right - bar, bottom), (right, bottom)], fill=(0, 0, 0), width=5)
        draw.line([(right - bar, bottom), (right, bottom)], fill=MARK, width=3)
        outlined(draw, (right, bottom - 6), f"{SCALE_MM:.0f} mm", font(15), MARK, anchor="rd")


def _draw_text(draw: ImageDraw.ImageDraw, inputs: EncodeInputs, bottom: int) -> None:
    y = HEADER + 16
    for heading, sentences in _blocks(inputs):
        if y + 44 > bottom:
            break
        draw.text((TEXT_LEFT, y), heading, font=font(18), fill=WHITE, anchor="la")
        y += 26
        for line in bulleted(sentences, font(16), TEXT_WIDTH):
            if y + 20 > bottom:
                draw.text(
                    (TEXT_LEFT, y), "  ... more in the measurement report", font=font(16), fill=FAINT, anchor="la"
                )
                break
            draw.text((TEXT_LEFT, y), line, font=font(16), fill=FAINT, anchor="la")
            y += 21
        y += 9


def _blocks(inputs: EncodeInputs) -> Iterator[Block]:
    moving, report = inputs.moving, inputs.moving.report
    yield f"Verdict: {report.verdict.value}", report.reasons
    yield "Measured", tuple(_measured(inputs))
    yield f"Fixed: {inputs.plan.fixed.modality}", _source(inputs.plan.fixed, inputs.fixed_headers[0])
    yield f"Moving: {moving.choice.modality}", _source(moving.choice, moving.headers[0])
    yield f"Matched by rule {drawable(inputs.plan.rule)!r}", (*inputs.plan.reasons, *moving.choice.reasons)
    notes = (*moving.registration.notes, *inputs.fixed.notes, *moving.volume.notes)
    if notes:
        yield "Notes", notes
    # Not when: the header says it, and the same result has the same pixels under the same UID.
    made = f"{inputs.equipment.model_name} {inputs.equipment.software_versions}"
    yield "Made by", (made, f"registrar {moving.registration.registrar}, fusion method {moving.fused.method}")


def _measured(inputs: EncodeInputs) -> Iterator[str]:
    report = inputs.moving.report
    yield f"expected error {millimetres(report.expected_error_mm)} (mean over the body)"
    yield f"error bound {millimetres(report.error_bound_mm)} (95th percentile)"
    yield f"{report.similarity_name} {report.similarity:.4g}"
    yield ", ".join(_measure(name, value) for name, value in report.measures.items() if math.isfinite(value))


def _measure(name: str, value: float) -> str:
    """A measure whose name ends in its unit."""
    words, _, unit = name.rpartition("_")
    if unit not in UNIT_ENDINGS or not words:
        words, unit = name, ""
    return f"{words.replace('_', ' ')} {value:.3g} {unit}".strip()


def _source(choice: SeriesChoice, header: Dataset) -> tuple[str, ...]:
    day = str(header.get("AcquisitionDate", "") or header.get("SeriesDate", "") or header.get("StudyDate", "") or "")
    when = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else "date unknown"
    what = choice.description or "no description"
    count = len(choice.sop_instance_uids)
    return (f"{what}, {when}, {count} instance{'' if count == 1 else 's'}",)
