"""The networks after papers: each takes images of any size, learns, and has the block that its paper is known for."""

from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from torch import nn

from fusion import fuse
from fusion.networks.adaptive_attention import AdaptiveAttention, modality_weights
from fusion.networks.band_similarity import BandSimilarity
from fusion.networks.channel_spatial_attention import IcsAutoencoder, ics
from fusion.networks.conditional_gan import ConditionalGan
from fusion.networks.ddc_gan import DdcGan, quartered
from fusion.networks.deep_fuse import DeepFuse
from fusion.networks.dense_gan import DenseGan
from fusion.networks.dmc_fusion import CASCADE, DmcFusion
from fusion.networks.feature_classifier import CLASSES, FeatureClassifier
from fusion.networks.fuse_gan import FuseGan, refined
from fusion.networks.fusion_gan import FusionGan
from fusion.networks.fw_net import FwNet
from fusion.networks.ifcnn import Ifcnn
from fusion.networks.layers import DenseBlock, halved
from fusion.networks.mcf_net import McfNet
from fusion.networks.mgmdc_gan import MgmdcGan, dense_mask
from fusion.networks.msd_net import KERNELS, MsdNet, by_strength
from fusion.networks.patch_discriminator import PatchDiscriminator
from fusion.networks.pmgi import Pmgi, Transfer
from fusion.networks.published import PUBLISHED
from fusion.networks.pyramidal_kernels import PyramidalConvolution, PyramidalKernelCnn
from fusion.networks.siamese_weight_map import SiameseWeightMap
from fusion.networks.sparse_autoencoder import SparseAutoencoder, sparsity_penalty
from fusion.networks.spatio_transformer import AxialAttention, Ift, SpatioTransformerFusion
from fusion.networks.training import Trainer, TrainingPair
from fusion.networks.trans_mef import PATCH, TransMef, destroyed
from fusion.networks.u2_fusion import U2Fusion, information_shares
from tests.fixtures.volumes import make_grid, make_volume

SYMMETRIC = (DeepFuse, MsdNet, Ifcnn, IcsAutoencoder, SparseAutoencoder, BandSimilarity, DmcFusion, TransMef)
LARGEST_BYTES = 4 * 2**20


def images(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator), torch.rand(*shape, generator=generator)


def network(name: str) -> nn.Module:
    return PUBLISHED[name].untrained(seed=3).eval()


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"feature_classifier"}))
def test_images_of_any_size_are_fused(name: str) -> None:
    for shape in ((2, 1, 33, 20), (1, 1, 1, 7), (1, 1, 5, 2)):
        first, second = images(*shape)
        with torch.no_grad():
            fused = network(name)(first, second)
        assert fused.shape == first.shape
        assert torch.isfinite(fused).all()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_weights_are_small(name: str) -> None:
    assert sum(4 * parameter.numel() for parameter in network(name).parameters()) < LARGEST_BYTES


@pytest.mark.parametrize("architecture", SYMMETRIC)
def test_the_order_of_the_images_does_not_matter_where_the_paper_ties_the_branches(
    architecture: type[nn.Module],
) -> None:
    torch.manual_seed(1)
    fusing = architecture().eval()
    first, second = images(1, 1, 24, 24)
    with torch.no_grad():
        assert torch.allclose(fusing(first, second), fusing(second, first), atol=1e-5)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_few_steps_lower_the_loss_and_can_be_taken_again(name: str) -> None:
    places = torch.linspace(-1, 1, 52)
    blob = torch.exp(-4 * (places[:, None] ** 2 + places**2)) + 0.2 * torch.sin(12 * places)
    pair = TrainingPair(blob.clamp(0, 1), (1 - blob).clamp(0, 1), ("PT", "MR"), "1")

    def losses() -> list[float]:
        trainer = Trainer(name, PUBLISHED[name], [pair], [pair], seed=1)
        found: list[float] = []
        trainer.run(steps=3, report=lambda progress: found.append(progress.loss))
        return found

    once = losses()
    assert len(once) == 3
    assert all(torch.isfinite(torch.tensor(once)))
    assert once == losses()


def test_deep_fuse_adds_what_one_encoder_makes_of_both() -> None:
    fusing = DeepFuse().eval()
    first, second = images(1, 1, 16, 16)
    with torch.no_grad():
        added = fusing.decoder(fusing.encoder(first) + fusing.encoder(second))
        assert torch.equal(added, fusing(first, second))
    kernels = [module.kernel_size[0] for module in fusing.modules() if isinstance(module, nn.Conv2d)]
    assert kernels == [5, 7, 7, 5, 5]


def test_msd_net_looks_through_three_sizes() -> None:
    branches = MsdNet().branches
    assert len(branches) == len(KERNELS) == 3
    for branch, kernel in zip(branches, KERNELS, strict=True):
        sizes = {module.kernel_size[0] for module in branch.modules() if isinstance(module, nn.Conv2d)}
        assert sizes == {kernel}
        assert any(isinstance(module, DenseBlock) for module in branch.modules())


def test_features_are_weighted_by_their_strength() -> None:
    weak, strong = torch.full((1, 2, 9, 9), 0.1), torch.full((1, 2, 9, 9), 0.9)
    assert torch.allclose(by_strength(weak, strong), torch.full((1, 2, 9, 9), 0.1 * 0.1 + 0.9 * 0.9), atol=1e-5)


def test_features_that_black_has_too_count_for_nothing() -> None:
    offset = torch.full((1, 2, 9, 9), 5.0)
    bright, dark = offset + 1, offset
    assert torch.allclose(by_strength(bright, dark, offset), bright, atol=1e-5)
    assert by_strength(bright, dark).mean() < 5.6


def test_the_coarse_image_of_ddc_gan_is_uptake() -> None:
    images = [make_volume(make_grid((1, 24, 24), (1.0, 1.0, 1.0)), seed=seed) for seed in (1, 2)]
    uptake, anatomy = (replace(image, modality=kind) for image, kind in zip(images, ("PT", "MR"), strict=True))
    windows: dict[str, Any] = {"fixed_window": (-99.0, 99.0), "moved_window": (-99.0, 99.0)}
    there, back = (fuse(*pair, "ddc_gan", **windows).image for pair in ((uptake, anatomy), (anatomy, uptake)))
    assert torch.equal(there, back)
    assert not torch.equal(there, fuse(replace(uptake, modality="MR"), anatomy, "ddc_gan", **windows).image)


def test_ifcnn_changes_its_rule_and_keeps_its_layers() -> None:
    fusing = Ifcnn().eval()
    first, second = images(1, 1, 16, 16)
    with torch.no_grad():
        one, two = fusing.features(first), fusing.features(second)
        assert torch.equal(
            fusing.fuse(first, second, "max"), fusing.reconstruction(torch.maximum(one, two)).clamp(0, 1)
        )
        assert torch.equal(fusing.fuse(first, second, "sum"), fusing.reconstruction(one + two).clamp(0, 1))
        assert torch.equal(fusing.fuse(first, second, "mean"), fusing.reconstruction((one + two) / 2).clamp(0, 1))


def test_u2_fusion_weighs_the_source_with_more_information() -> None:
    rich, flat = images(1, 1, 16, 16)[0], torch.full((1, 1, 16, 16), 0.5)
    shares = information_shares([rich, halved(rich)], [flat, halved(flat)])
    assert float(shares[0]) > 0.99
    assert float(shares[0] + shares[1]) == pytest.approx(1)
    assert any(isinstance(module, DenseBlock) for module in U2Fusion().modules())


def test_pmgi_has_two_paths_that_hear_each_other() -> None:
    fusing = Pmgi()
    assert len(fusing.gradient) == len(fusing.intensity) == 4
    assert all(isinstance(transfer, Transfer) for transfer in fusing.transfers)
    first, second = images(1, 1, 12, 12)
    fusing(first, second).sum().backward()
    for transfer in fusing.transfers:
        gradients = [parameter.grad for parameter in transfer.parameters()]
        assert all(gradient is not None and float(gradient.abs().sum()) > 0 for gradient in gradients)


def test_mcf_net_meets_the_inputs_at_every_level() -> None:
    fusing = McfNet(channels=12, levels=3)
    widths = [cast(nn.Conv2d, cast(nn.Sequential, layer)[0]).in_channels for layer in fusing.decoder]
    assert widths == [12 + 24 + 2, 24 + 48 + 2]


def test_fw_net_gives_both_back_from_one_channel() -> None:
    fusing = FwNet().eval()
    first, second = images(1, 1, 16, 16)
    with torch.no_grad():
        code = fusing(first, second)
        assert code.shape == (1, 1, 16, 16)
        assert [image.shape for image in fusing.reconstruct(code)] == [first.shape, second.shape]


def test_information_preserving_attention_prefers_what_changes() -> None:
    flat = torch.full((1, 3, 12, 12), 0.5)
    edged = flat.clone()
    edged[..., 6:] = 1.5
    joined = ics(flat, edged)
    assert torch.allclose(joined, edged, atol=1e-3)
    first, second = images(1, 3, 12, 12)
    assert torch.allclose(ics(first, first), first, atol=1e-6)
    assert torch.allclose(ics(first, second), ics(second, first), atol=1e-6)


def test_sparse_codes_are_held_near_their_target() -> None:
    assert float(sparsity_penalty(torch.full((100, 8), 0.05))) == pytest.approx(0, abs=1e-6)
    assert float(sparsity_penalty(torch.full((100, 8), 0.5))) > 1


def test_the_modality_that_is_served_better_counts_more() -> None:
    weights = modality_weights(torch.tensor([0.1, 0.4]))
    assert weights.tolist() == pytest.approx([1.6, 0.4])
    fusing = AdaptiveAttention()
    first, second = images(1, 1, 12, 12)
    fusing(first, second).sum().backward()
    for attention in (*fusing.intra, *fusing.inter):
        assert all(parameter.grad is not None for parameter in attention.parameters())


def test_pyramidal_convolution_has_kernels_of_four_sizes() -> None:
    layers = [module for module in PyramidalKernelCnn().modules() if isinstance(module, PyramidalConvolution)]
    assert len(layers) == 2
    for layer in layers:
        convolutions = [module for module in layer.modules() if isinstance(module, nn.Conv2d)]
        assert [module.kernel_size[0] for module in convolutions] == [3, 5, 7, 9]
        assert [module.groups for module in convolutions] == [1, 2, 4, 4]


def test_the_siamese_map_swaps_with_its_inputs() -> None:
    fusing = SiameseWeightMap().eval()
    first, second = images(1, 1, 24, 24)
    with torch.no_grad():
        there, back = fusing(first, second), fusing(second, first)
    assert torch.allclose(there, 1 - back, atol=1e-6)


def test_bands_that_agree_are_averaged_and_others_are_chosen() -> None:
    fusing = BandSimilarity().eval()
    band = images(1, 1, 16, 16)[0] - 0.5
    with torch.no_grad():
        assert torch.allclose(fusing(band, band), band, atol=1e-6)
        assert float(fusing.similarity(band, 3 * band).min()) == pytest.approx(1, abs=1e-4)


def test_the_gans_are_not_one_network_under_five_names() -> None:
    assert not any(isinstance(module, DenseBlock) for module in FusionGan().modules())
    assert any(isinstance(module, DenseBlock) for module in DenseGan().modules())
    assert any(isinstance(module, nn.ConvTranspose2d) for module in DdcGan().modules())
    assert any(isinstance(module, nn.Dropout2d) and module.p > 0 for module in ConditionalGan().modules())
    sequence = MgmdcGan().eval()
    first, second = images(1, 1, 16, 16)
    with torch.no_grad():
        early, late = sequence.both(first, second)
        assert torch.equal(sequence(first, second), late)
    assert not torch.equal(early, late)
    assert quartered(first).shape[-2:] == (4, 4)
    assert PatchDiscriminator(3)(torch.rand(1, 3, 32, 32)).shape == (1, 1, 4, 4)


def test_the_mask_of_dense_structure_is_where_bone_is() -> None:
    image = torch.full((1, 1, 20, 20), 0.3)
    image[..., :3, :] = 0.95
    mask = dense_mask(image)
    assert float(mask[..., :3, :].min()) > 0.4
    assert float(mask[..., 3:, :].max()) < 0.1


def test_fuse_gan_mixes_and_settles_its_map_along_edges() -> None:
    fusing = FuseGan().eval()
    first, second = images(1, 1, 20, 20)
    with torch.no_grad():
        fused = fusing(first, second)
    assert bool((fused >= torch.minimum(first, second) - 1e-6).all())
    assert bool((fused <= torch.maximum(first, second) + 1e-6).all())
    guide = torch.zeros(1, 1, 12, 12)
    guide[..., 6:] = 1.0
    share = torch.where(guide > 0, 0.9, 0.1)
    share[0, 0, 5, 2] = 0.6  # one voice against its neighbours
    assert float(refined(share, guide, guide)[0, 0, 5, 2]) < 0.3


def test_the_cascade_codes_what_the_stages_before_it_left() -> None:
    fusing = DmcFusion().eval()
    image = images(1, 1, 16, 16)[0]
    with torch.no_grad():
        codes = fusing.encode(image)
        left = image - fusing.decoders[0](codes[0])
        assert torch.equal(fusing.encoders[1](left), codes[1])
        assert len(codes) == CASCADE
        assert fusing.informative(codes[0]).shape == (1, 1, 16, 16)


def test_ift_joins_a_local_and_a_global_branch() -> None:
    joints = [module for module in Ift().modules() if isinstance(module, SpatioTransformerFusion)]
    assert len(joints) == 2
    for joint in joints:
        assert isinstance(joint.attention, AxialAttention)
    attention = AxialAttention(4).eval()
    features = torch.zeros(1, 4, 9, 9)
    features.requires_grad_()
    attention(features)[0, :, 0, 0].sum().backward()
    reached = cast(torch.Tensor, features.grad).abs().sum(dim=(0, 1)) > 0
    assert bool(reached[0].all())
    assert bool(reached[:, 0].all())


def test_the_transformer_reaches_further_than_the_convolutions() -> None:
    fusing = TransMef().eval()
    image = images(1, 1, 4 * PATCH, 4 * PATCH)[0].requires_grad_()
    fusing.encode(image)[0, :, 0, 0].sum().backward()  # type: ignore[no-untyped-call]
    assert float(cast(torch.Tensor, image.grad)[0, 0, -1, -1].abs()) > 0


def test_destroyed_patches_are_some_and_stay_in_their_place() -> None:
    image = images(1, 1, 6 * PATCH, 6 * PATCH)[0]
    seen = destroyed(image, torch.Generator().manual_seed(0))
    changed = nn.functional.max_pool2d((seen != image).float(), PATCH, PATCH)
    assert 0.1 < float(changed.mean()) < 0.7
    assert torch.equal(seen, destroyed(image, torch.Generator().manual_seed(0)))


def test_features_come_at_three_depths_and_tell_sixteen_classes() -> None:
    fusing = FeatureClassifier().eval()
    image = images(1, 1, 32, 32)[0]
    with torch.no_grad():
        assert [features.shape[-1] for features in fusing.depths(image)] == [32, 16, 8]
        assert fusing(image).shape == (1, CLASSES)
