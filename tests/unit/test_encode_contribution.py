"""The contribution map as an object and as a picture."""

from dataclasses import replace

import numpy as np
import torch

from dicomnode.encode import encode
from dicomnode.encode.contribution_panel import FIXED_COLOUR, MOVED_COLOUR, contribution_pictures
from fusion import Volume
from tests.fixtures.derived_case import build_case, grid


def test_the_map_holds_the_share_of_the_fixed_image() -> None:
    inputs = build_case(outputs=("contribution",))
    (series,) = encode(inputs)
    (instance,) = series.instances
    share = inputs.moving.fused.contribution
    assert share is not None
    values = np.frombuffer(instance.FloatPixelData, dtype=np.float32).reshape(share.shape)
    np.testing.assert_array_equal(values, share.numpy())
    assert "contribution" in instance.SeriesDescription.lower()


def test_a_method_that_does_not_mix_gives_no_map() -> None:
    inputs = build_case(outputs=("contribution",))
    fused = replace(inputs.moving.fused, contribution=None)
    assert encode(replace(inputs, moving=replace(inputs.moving, fused=fused))) == ()


def test_the_picture_tints_by_the_source() -> None:
    onto = grid((8, 8, 8), (1.0, 1.0, 1.0), None)
    centre, white = onto.centre_mm, torch.ones(onto.shape)
    for value, colour in ((1.0, FIXED_COLOUR), (0.0, MOVED_COLOUR)):
        pictures = contribution_pictures(Volume(torch.full(onto.shape, value), onto), white, centre, 5)
        assert len(pictures) == 3
        for picture in pictures:
            assert tuple(picture[2, 2]) == colour
