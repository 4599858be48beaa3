"""Maps of why: against networks whose answer is known."""

import pytest
import torch
from torch import nn

from fusion.errors import ParameterError
from fusion.networks.dense_fuse import DenseFuse
from fusion.networks.trans_mef import TransMef
from fusion.quality.explanation import attention_maps, class_activation, relevance, saliency


class _Weighted(nn.Module):
    """3 A - 2 B in the left half, nothing in the right one."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        left = torch.ones_like(first)
        left[..., first.shape[-1] // 2 :] = 0
        return (3 * first - 2 * second) * left


def _images() -> tuple[torch.Tensor, torch.Tensor]:
    one, two = torch.rand(2, 1, 1, 16, 20, generator=torch.Generator().manual_seed(1))
    return one, two


def test_saliency_is_the_size_of_the_derivative() -> None:
    one, two = saliency(_Weighted(), *_images())
    assert (one[..., :10] == 3).all()
    assert (two[..., :10] == 2).all()
    assert (one[..., 10:] == 0).all()


def test_only_the_asked_part_is_explained() -> None:
    first, second = _images()
    of = torch.zeros_like(first)
    of[..., 2, 3] = 1
    one, _ = saliency(_Weighted(), first, second, of)
    assert one.sum() == 3
    assert one[0, 0, 2, 3] == 3


def test_relevance_of_a_network_without_biases_adds_up_to_its_answer() -> None:
    torch.manual_seed(0)
    network = DenseFuse(channels=4, growth=4, rule="addition").eval().requires_grad_(requires_grad=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.zero_()
    first, second = _images()
    one, two = relevance(network, first, second)
    assert float(one.sum() + two.sum()) == pytest.approx(float(network(first, second).sum()), rel=1e-4)


def test_class_activation_lights_up_where_the_answer_comes_from() -> None:
    torch.manual_seed(0)
    network = DenseFuse(channels=4, growth=4).eval()
    first, second = _images()
    of = torch.zeros_like(first)
    of[..., :, :10] = 1
    activation = class_activation(network, first * of, second * of, of=of)
    assert activation.shape == first.shape
    assert float(activation.min()) >= 0
    with pytest.raises(ParameterError, match="convolutions"):
        class_activation(_Weighted(), first, second)
    with pytest.raises(ParameterError, match="never calls"):
        class_activation(network, first, second, layer=nn.Conv2d(1, 1, 1))


def test_attention_adds_up_to_one_for_every_query() -> None:
    network = TransMef(channels=4, width=8).eval().requires_grad_(requires_grad=False)
    maps = attention_maps(network, *(torch.rand(1, 1, 32, 48) for _ in range(2)))
    assert set(maps) == {"transformer.self_attn", "transformer.self_attn 2"}
    for weights in maps.values():
        assert weights.shape == (1, 6, 6)
        torch.testing.assert_close(weights.sum(dim=2), torch.ones(1, 6))
    assert attention_maps(DenseFuse(4, 4), *_images()) == {}
