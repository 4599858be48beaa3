"""Sparse codes: matching pursuit, dictionaries, convolutional codes, and the two methods that use them."""

import json
from importlib.resources import files

import numpy as np
import pytest
import torch

from fusion import Volume, fuse
from fusion.networks.training.case_split import validation_cases
from fusion.transforms.convolutional_codes import convolutional_codes, convolved, filter_response, learned_filters
from fusion.transforms.dictionary_learning import cosine_dictionary, learned_dictionary
from fusion.transforms.learned import FOLDER, learned_tensor
from fusion.transforms.matching_pursuit import sparse_codes
from fusion.transforms.patches import covered, joined, patches_of
from tests.fixtures.volumes import make_grid, make_volume

UNIT = {"fixed_window": (0, 1), "moved_window": (0, 1)}
NAMES = ("patch_dictionary", "convolutional_filters")


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def volume(voxels: torch.Tensor) -> Volume:
    a, b, c = voxels.shape
    return make_volume(make_grid((a, b, c), (1.0, 1.0, 1.0)), voxels=voxels)


def atoms_and_patches(count: int, used: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A random dictionary, codes of `used` atoms, and what they make."""
    dictionary = torch.nn.functional.normalize(noise((64, 30), 1), dim=0)
    codes = torch.zeros(count, 30)
    order = torch.rand((count, 30), generator=torch.Generator().manual_seed(2)).argsort(dim=1)[:, :used]
    codes.scatter_(1, order, 1 + torch.rand((count, used), generator=torch.Generator().manual_seed(3)))
    return dictionary, codes, codes @ dictionary.T


def test_matching_pursuit_finds_the_atoms_that_were_used() -> None:
    dictionary, codes, patches = atoms_and_patches(200, 3)
    found = sparse_codes(patches, dictionary, 3, 1e-4)
    right = ((found != 0) == (codes != 0)).all(dim=1)
    assert right.float().mean() > 0.9
    torch.testing.assert_close(found[right], codes[right], rtol=1e-3, atol=1e-3)
    assert (found != 0).sum(dim=1).max() <= 3


def test_matching_pursuit_fits_its_atoms_best_and_stops_when_it_may() -> None:
    dictionary, _, _ = atoms_and_patches(1, 1)
    patches = noise((20, 64), 5)
    found = sparse_codes(patches, dictionary, 4, 0.0)
    for patch, code in zip(patches.numpy(), found.numpy(), strict=True):
        support = np.flatnonzero(code)
        best = np.linalg.lstsq(dictionary.numpy()[:, support], patch, rcond=None)[0]
        np.testing.assert_allclose(code[support], best, atol=1e-3)
    one = 2 * dictionary[:, [4]].T
    assert (sparse_codes(one, dictionary, 5, 1e-3) != 0).sum() == 1
    assert not sparse_codes(torch.zeros(3, 64), dictionary, 5, 1e-3).any()


def test_patches_go_together_again() -> None:
    image = torch.rand(2, 13, 30)
    for stride in (1, 3, 4, 8):
        whole = covered(image, 8, stride)
        assert torch.equal(whole[:, :13, :30], image)
        patches = patches_of(whole, 8, stride)
        assert torch.equal(patches[0].reshape(8, 8), image[0, :8, :8])
        shape = (2, whole.shape[1], whole.shape[2])
        torch.testing.assert_close(joined(patches, shape, 8, stride), whole)


def test_learning_explains_patches_with_fewer_atoms() -> None:
    _, _, patches = atoms_and_patches(600, 2)
    start = cosine_dictionary(8, 9)
    torch.testing.assert_close(start.norm(dim=0), torch.ones(81))
    learned = learned_dictionary(patches, start, 2, 4)
    torch.testing.assert_close(learned.norm(dim=0), torch.ones(81))
    assert torch.equal(learned[:, 0], start[:, 0])
    rest = [(patches - sparse_codes(patches, atoms, 2, 0.0) @ atoms.T).norm() for atoms in (start, learned)]
    assert rest[1] < 0.6 * rest[0]
    assert torch.equal(learned, learned_dictionary(patches, start, 2, 4))


def test_convolution_is_convolution() -> None:
    filters, maps = noise((3, 2, 2), 1), noise((1, 3, 6, 5), 2)
    expected = torch.zeros(1, 6, 5)
    for row in range(2):
        for column in range(2):
            expected += (filters[:, row, column, None, None] * maps.roll((row, column), (2, 3))).sum(dim=1)
    torch.testing.assert_close(convolved(maps, filters), expected)
    # A filter longer than the image wraps.
    assert filter_response(noise((1, 8, 8)), (3, 5)).shape == (1, 3, 3)


def test_convolutional_codes_satisfy_the_conditions_of_the_optimum() -> None:
    filters = torch.nn.functional.normalize(noise((4, 9), 1), dim=1).reshape(4, 3, 3)
    image = noise((1, 12, 14), 2)
    sparsity = 0.3
    codes = convolutional_codes(image, filters, sparsity, 400)
    rest = torch.fft.rfft2(convolved(codes, filters) - image)
    slope = torch.fft.irfft2(filter_response(filters, (12, 14)).conj() * rest[:, None], s=(12, 14))
    # Subgradient: −λ sign(x) where x is not zero, at most λ where it is.
    zero = codes == 0
    assert 0.2 < zero.float().mean() < 1
    assert slope[zero].abs().max() < sparsity * 1.02
    torch.testing.assert_close(slope[~zero], -sparsity * torch.sign(codes[~zero]), rtol=0, atol=0.02)


def test_learned_filters_code_with_less() -> None:
    true = torch.nn.functional.normalize(noise((2, 9), 1), dim=1).reshape(2, 3, 3)
    maps = torch.where(torch.rand((6, 2, 16, 16), generator=torch.Generator().manual_seed(4)) < 0.05, 1.0, 0.0)
    images = convolved(maps, true)
    start = torch.nn.functional.normalize(noise((2, 9), 7), dim=1).reshape(2, 3, 3)

    def cost(filters: torch.Tensor) -> float:
        codes = convolutional_codes(images, filters, 0.05, 60)
        return float(0.5 * (convolved(codes, filters) - images).square().sum() + 0.05 * codes.abs().sum())

    learned = learned_filters(images, start, 0.05, 6, 20)
    torch.testing.assert_close(learned.flatten(1).norm(dim=1), torch.ones(2))
    assert cost(learned) < 0.9 * cost(start)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learned_has_a_card_and_saw_no_case_that_is_held_out(name: str) -> None:
    folder = files("fusion.transforms").joinpath(FOLDER)
    card = json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    values = learned_tensor(name)
    assert card["shape"] == list(values.shape)
    assert values.isfinite().all()
    assert not set(card["cases"]) & set().union(*(validation_cases(fold) for fold in (0, 1)))
    assert {"data", "method", "recipe", "seed", "cpu_seconds", "hardware", "licence", "known_limits"} <= set(card)
    assert len(folder.joinpath(f"{name}.safetensors").read_bytes()) < 2**20


@pytest.mark.parametrize("name", ["sparse_representation", "convolutional_sparse"])
def test_detail_of_both_images_survives(name: str) -> None:
    wave = 0.3 * torch.sin(torch.arange(48.0) * 1.5)[None, :, None].expand(1, 48, 48)
    left = torch.arange(48)[None, None, :] < 24
    first, second = torch.where(left, 0.5 + wave, 0.5), torch.where(left, 0.5, 0.5 + wave)
    fused = fuse(volume(first), volume(second), name, **UNIT).image
    for part in (slice(4, 18), slice(30, 44)):
        assert fused[:, 4:44, part].std() > 0.8 * wave.std()


def test_sparse_codes_give_an_image_back_when_it_is_fused_with_itself() -> None:
    rows = torch.arange(40.0)[None, :, None] / 40
    image = (0.5 + 0.3 * torch.sin(9 * rows) * torch.cos(torch.arange(36.0) / 5)).clamp(0, 1)
    for name, error in (("sparse_representation", 0.02), ("convolutional_sparse", 0.05)):
        fused = fuse(volume(image), volume(image), name, **UNIT).image
        assert (fused - image).square().mean().sqrt() < error, name
