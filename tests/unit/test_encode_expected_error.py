"""The map of the expected error: as a series on the fixed grid, and on the quality page."""

from dataclasses import replace

import numpy as np
import torch
from pydicom.dataset import Dataset

from dicomnode.encode import EncodeInputs, encode
from dicomnode.encode.quality_page import CAPTION, PANEL, page
from fusion import Volume
from tests.fixtures.derived_case import build_case, grid

COARSE = grid((20, 36, 30), (6.0, 5.0, 5.0), None)


def rising_map() -> Volume:
    """1 mm at the feet to 3 mm at the top, valid within a box."""
    slices = torch.linspace(1.0, 3.0, COARSE.shape[0])[:, None, None].expand(COARSE.shape).contiguous()
    valid = torch.zeros(COARSE.shape, dtype=torch.bool)
    valid[2:-2, 4:-4, 4:-4] = True
    return Volume(torch.where(valid, slices, 0.0), COARSE, valid=valid)


def with_map(inputs: EncodeInputs, error_map: Volume | None) -> EncodeInputs:
    registration = replace(inputs.moving.registration, error_map=error_map)
    return replace(inputs, moving=replace(inputs.moving, registration=registration))


def test_the_map_is_written_on_the_fixed_grid_in_millimetres() -> None:
    inputs = with_map(build_case(outputs=("expected_error",)), rising_map())
    (series,) = encode(inputs)
    (document,) = series.instances
    pixels = np.frombuffer(document.FloatPixelData, dtype="<f4").reshape(inputs.fixed.grid.shape)
    measured = np.isfinite(pixels)
    assert 0.2 < measured.mean() < 0.8, "only the body has an error"
    frames = document.PerFrameFunctionalGroupsSequence
    places = [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in frames]
    middles = [np.nanmean(pixels[k]) for k in np.argsort(places) if np.isfinite(pixels[k]).sum() > 100]
    assert np.all(np.diff(middles) > 0)
    assert 1.0 < np.nanmin(pixels) < np.nanmax(pixels) < 3.0
    mapping: Dataset = document.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert document.ContentLabel == "EXPECTED_ERROR"
    assert "expected error" in series.description


def test_without_a_map_there_is_no_series() -> None:
    assert encode(with_map(build_case(outputs=("expected_error",)), None)) == ()


def test_the_page_shows_where_the_error_is() -> None:
    inputs = build_case(outputs=("quality_report",))
    without, shown = page(with_map(inputs, None)), page(with_map(inputs, rising_map()))
    assert shown.shape[0] - without.shape[0] == CAPTION + PANEL + 10
    row = shown[without.shape[0] - 40 : -60, :PANEL].astype(int)
    assert (row[..., 0] - row[..., 2] > 60).any(), "the warm colours of the map"
