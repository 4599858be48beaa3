"""The wavelet transforms against PyWavelets and against themselves."""

from collections.abc import Callable

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import UnknownNameError
from fusion.transforms.block_svd import from_blocks, fuse_blocks, principal_directions, to_blocks
from fusion.transforms.separable_wavelet import join, split
from fusion.transforms.stationary_wavelet import back, forth, fuse_stationary
from fusion.transforms.wavelet_packet import fuse_packets
from fusion.transforms.wavelet_pyramid import fuse_pyramid
from fusion.transforms.wavelets import WAVELETS, wavelet

every_wavelet = pytest.mark.parametrize("name", WAVELETS)

EXTENT = st.integers(1, 25)


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def the_first(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return first


@every_wavelet
def test_filters_are_those_of_the_reference(name: str) -> None:
    bank, expected = wavelet(name), pywt.Wavelet(name)
    np.testing.assert_allclose(bank.analysis_low, expected.dec_lo, atol=1e-9)
    np.testing.assert_allclose(bank.analysis_high, expected.dec_hi, atol=1e-9)
    np.testing.assert_allclose(bank.synthesis_low, expected.rec_lo, atol=1e-9)
    np.testing.assert_allclose(bank.synthesis_high, expected.rec_hi, atol=1e-9)


def test_an_unknown_wavelet_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'db99'.*bior4.4"):
        wavelet("db99")


@every_wavelet
@pytest.mark.parametrize("shape", [(12, 16, 10), (5, 17, 33)])
def test_bands_are_those_of_the_reference(name: str, shape: tuple[int, int, int]) -> None:
    image = noise(shape)
    expected = pywt.dwtn(image.numpy().astype(np.float64), name, mode="symmetric")
    bands = split(image, (0, 1, 2), wavelet(name))
    for at, band in enumerate(bands):
        key = "".join("ad"[at >> (2 - axis) & 1] for axis in range(3))
        np.testing.assert_allclose(band.numpy(), expected[key], atol=1e-5)
    torch.testing.assert_close(join(bands, (0, 1, 2), wavelet(name), shape), image, rtol=0, atol=1e-5)


@every_wavelet
def test_stationary_bands_are_those_of_the_reference(name: str) -> None:
    image = noise((1, 32, 48))
    bank = wavelet(name)
    expected = pywt.swt2(image[0].numpy().astype(np.float64), name, level=2, start_level=0)
    low = image
    for level, (deeper, (across, down, both)) in enumerate(reversed(expected)):
        bands = {
            (a, b): forth(
                forth(low, 1, (bank.analysis_low, bank.analysis_high)[a], level),
                2,
                (bank.analysis_low, bank.analysis_high)[b],
                level,
            )
            for a in (0, 1)
            for b in (0, 1)
        }
        for kind, wanted in (((0, 0), deeper), ((1, 0), across), ((0, 1), down), ((1, 1), both)):
            np.testing.assert_allclose(bands[kind][0].numpy(), wanted, atol=1e-5)
        again = sum(
            back(
                back(band, 1, (bank.synthesis_low, bank.synthesis_high)[a], level),
                2,
                (bank.synthesis_low, bank.synthesis_high)[b],
                level,
            )
            for (a, b), band in bands.items()
        )
        torch.testing.assert_close(again, low, rtol=0, atol=1e-5)
        low = bands[0, 0]


def test_packets_are_those_of_the_reference() -> None:
    image = noise((1, 24, 40))
    seen: list[torch.Tensor] = []

    def keep(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        seen.append(first)
        return first

    fuse_packets((image, image), wavelet("db2"), 2, (1.0, 1.0, 1.0), keep, keep)
    tree = pywt.WaveletPacket2D(image[0].numpy().astype(np.float64), "db2", "symmetric", maxlevel=2)
    leaves = [node.data for node in tree.get_level(2, "natural")]
    assert len(seen) == len(leaves) == 16
    # PyWavelets names a band by its columns first.
    order = {(a, b): "ahvd"[2 * b + a] for a in (0, 1) for b in (0, 1)}
    names = [order[at >> 1 & 1, at & 1] for at in range(4)]
    for at, band in enumerate(seen):
        wanted = tree[names[at // 4] + names[at % 4]].data
        np.testing.assert_allclose(band[0].numpy(), wanted, atol=1e-5)


def pyramid(image: torch.Tensor, name: str, levels: int) -> torch.Tensor:
    return fuse_pyramid((image, -image), wavelet(name), levels, (2.0, 1.0, 1.0), the_first, the_first)


def packets(image: torch.Tensor, name: str, levels: int) -> torch.Tensor:
    return fuse_packets((image, -image), wavelet(name), min(levels, 2), (2.0, 1.0, 1.0), the_first, the_first)


def stationary(image: torch.Tensor, name: str, levels: int) -> torch.Tensor:
    axes = tuple(axis for axis in range(3) if image.shape[axis] > 1)
    return fuse_stationary([image, -image], wavelet(name), levels, axes, the_first, the_first)


def blocks(image: torch.Tensor, name: str, levels: int) -> torch.Tensor:
    return fuse_blocks((image, noise(tuple(image.shape), 9)), levels, (2.0, 1.0, 1.0), the_first, the_first)


@pytest.mark.parametrize("transform", [pyramid, packets, stationary, blocks])
@settings(max_examples=15, deadline=None)
@given(shape=st.tuples(EXTENT, EXTENT, EXTENT), name=st.sampled_from(WAVELETS), levels=st.integers(1, 3))
def test_what_is_taken_apart_goes_together_again(
    transform: Callable[[torch.Tensor, str, int], torch.Tensor], shape: tuple[int, int, int], name: str, levels: int
) -> None:
    image = noise(shape, 3)
    torch.testing.assert_close(transform(image, name, levels), image, rtol=0, atol=1e-5)


def test_the_stationary_transform_moves_with_the_image() -> None:
    first, second = noise((1, 64, 64), 1), noise((1, 64, 64), 2)

    def larger(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.where(b.abs() > a.abs(), b, a)

    def fused(shift: int) -> torch.Tensor:
        a, b = (image.narrow(2, shift, 60) for image in (first, second))
        return fuse_stationary([a, b], wavelet("haar"), 2, (1, 2), larger, torch.maximum)

    here, there = fused(0), fused(1)
    torch.testing.assert_close(here[:, 8:50, 9:48], there[:, 8:50, 8:47], rtol=0, atol=1e-5)


def test_blocks_turn_into_their_principal_directions() -> None:
    first, second = noise((6, 8, 10), 1) + 2, noise((6, 8, 10), 2)
    parts = to_blocks(first, (0, 1, 2))
    assert parts.shape == (8, 3, 4, 5)
    assert parts[5, 1, 2, 3] == first[3, 4, 7]
    assert torch.equal(from_blocks(parts, (0, 1, 2), (6, 8, 10)), first)
    directions = principal_directions(parts, to_blocks(second, (0, 1, 2)))
    torch.testing.assert_close(directions.T @ directions, torch.eye(8, dtype=torch.float64))
    stacked = torch.cat([parts.reshape(8, -1), to_blocks(second, (0, 1, 2)).reshape(8, -1)], dim=1).double()
    left = torch.linalg.svd(stacked, full_matrices=False).U
    torch.testing.assert_close((directions.T @ left).abs(), torch.eye(8, dtype=torch.float64), rtol=0, atol=1e-6)
    assert directions[:, 0].sum() > 0
