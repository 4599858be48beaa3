"""The directional frames: what they take apart goes together again, and each band has its direction."""

from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.transforms.contourlet import contourlet_bands
from fusion.transforms.curvelet import curvelet_bands
from fusion.transforms.extension import fast_length, periodic_extension
from fusion.transforms.fourier_frame import Bands, fuse_frame
from fusion.transforms.maximally_flat import half_band
from fusion.transforms.shearlet import shearlet_bands

FRAMES: dict[str, tuple[Bands, bool]] = {
    "curvelet": (curvelet_bands(3, 16), True),
    "contourlet": (contourlet_bands((3, 2, 1)), True),
    "contourlet without directions": (contourlet_bands((0, 0)), True),
    "shearlet": (shearlet_bands((3, 2, 1)), False),
}
CPU = torch.device("cpu")
EXTENT = st.integers(1, 14)

every_frame = pytest.mark.parametrize("name", FRAMES)


def the_first(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return first


@every_frame
@settings(max_examples=5, deadline=None)
@given(shape=st.tuples(EXTENT, EXTENT, EXTENT), axes=st.sampled_from([(0,), (2,), (1, 2), (0, 2), (0, 1, 2)]))
def test_what_is_taken_apart_goes_together_again(name: str, shape: tuple[int, int, int], axes: tuple[int, ...]) -> None:
    bands, tight = FRAMES[name]
    image = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    again = fuse_frame([image, -image], axes, bands, the_first, the_first, tight=tight)
    torch.testing.assert_close(again, image, rtol=0, atol=1e-5)


@every_frame
@pytest.mark.parametrize("lengths", [(32, 48), (16, 18, 20)])
def test_windows_are_a_partition_and_symmetric(name: str, lengths: tuple[int, ...]) -> None:
    bands, tight = FRAMES[name]
    total = torch.zeros([1] * len(lengths))
    for band in bands(lengths, CPU):
        assert band.window.min() >= 0
        image = torch.fft.irfftn(band.window.expand(*band.lengths[:-1], band.lengths[-1] // 2 + 1) + 0j, s=band.lengths)
        # The response to an impulse is even, so that no band moves anything.
        mirrored = image.flip(tuple(range(image.ndim))).roll((1,) * image.ndim, tuple(range(image.ndim)))
        torch.testing.assert_close(image, mirrored, rtol=0, atol=1e-6)
        if band.lengths == lengths:
            total = total + (band.window.square() if tight else band.window)
    if name != "curvelet":  # whose coarser bands are on smaller grids
        torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "least"), [("curvelet", 16), ("contourlet", 8), ("shearlet", 6)])
def test_a_wave_is_found_in_bands_of_its_direction(name: str, least: int) -> None:
    """Waves of one wavelength in many directions: the finest level's bands answer to few of them each."""
    lengths = (64, 64)
    bands, _ = FRAMES[name]
    finest = []
    for band in bands(lengths, CPU):
        at = [
            (round(26 * torch.sin(torch.tensor(angle)).item()), round(26 * torch.cos(torch.tensor(angle)).item()))
            for angle in torch.linspace(-pi / 2, pi / 2, 33)[:-1].tolist()
        ]
        if band.lengths != lengths:
            break
        finest.append([band.window.expand(64, 33)[r % 64, c].item() for r, c in at])
    answers = torch.tensor(finest[:least]).square()
    share = answers.sum(dim=1) / answers.max(dim=1).values
    # Of 32 directions each band takes about 32 / bands: less than three times that.
    assert answers.max(dim=1).values.min() > 0.3
    assert share.max() < 3 * 32 / least
    # Opposite bands answer to other directions: every direction has one that is clearly the strongest of its own.
    assert len(set(answers.argmax(dim=0).tolist())) == least


def test_coarser_curvelets_are_fewer_and_sampled_more_coarsely() -> None:
    sizes: dict[tuple[int, ...], int] = {}
    for band in curvelet_bands(3, 16)((128, 128), CPU):
        sizes[band.lengths] = sizes.get(band.lengths, 0) + 1
    assert list(sizes.values()) == [16, 8, 8, 1]
    volume: dict[tuple[int, ...], int] = {}
    for band in curvelet_bands(3, 16)((64, 64, 64), CPU):
        volume[band.lengths] = volume.get(band.lengths, 0) + 1
    assert list(volume.values()) == [16, 10, 10, 1]
    extents = [lengths[0] for lengths in volume]
    assert extents == sorted(extents, reverse=True)


def test_the_half_band_filter_is_flat_and_complementary() -> None:
    x = torch.linspace(-1, 1, 101)
    torch.testing.assert_close(half_band(x) + half_band(-x), torch.ones(101), rtol=0, atol=1e-5)
    assert half_band(torch.tensor([-1.0, 0.0, 1.0])).tolist() == pytest.approx([0, 0.5, 1], abs=1e-5)
    assert half_band(torch.tensor([-0.8])).item() < 1e-3


def test_an_extended_image_has_no_edge_where_its_ends_meet() -> None:
    line = torch.linspace(0, 1, 50).reshape(1, 1, 50)
    around = periodic_extension(line, (2,), (64,)).flatten()
    assert torch.equal(around[:50], line.flatten())
    steps = (around.roll(-1) - around)[49:]
    assert steps.abs().max() < 0.1
    assert fast_length(257) == 270
    assert fast_length(257, 4) == 280
