"""The networks that papers describe, each with its training: one entry a paper.

They are smaller than in their papers, in channels (see each file) and in training; their cards say what they reach.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from .adaptive_attention import AdaptiveAttention
from .band_similarity import BandSimilarity
from .channel_spatial_attention import IcsAutoencoder
from .conditional_gan import ConditionalGan
from .ddc_gan import DdcGan
from .deep_fuse import DeepFuse
from .dense_gan import DenseGan
from .dmc_fusion import DmcFusion
from .feature_classifier import FeatureClassifier
from .fuse_gan import FuseGan
from .fusion_gan import FusionGan
from .fw_net import FwNet
from .ifcnn import Ifcnn
from .mcf_net import McfNet
from .mgmdc_gan import MgmdcGan
from .msd_net import MsdNet
from .pmgi import Pmgi
from .pyramidal_kernels import PyramidalKernelCnn
from .siamese_weight_map import SiameseWeightMap
from .sparse_autoencoder import SparseAutoencoder
from .spatio_transformer import Ift
from .training.adaptive_weighting import AdaptiveWeighting
from .training.adversarial import Adversarial
from .training.augmentation import Geometric, Photometric
from .training.band_agreement import BandAgreement
from .training.cascade_reconstruction import CascadeReconstruction
from .training.conditional_focus import ConditionalFocus
from .training.conditional_translation import ConditionalTranslation
from .training.destroyed_reconstruction import DestroyedReconstruction
from .training.dual_resolution import DualResolution
from .training.exposure_similarity import ExposureSimilarity
from .training.focus_decision import FocusDecision
from .training.given_back import GivenBack
from .training.gradient_and_intensity import GradientAndIntensity
from .training.information_weighted import InformationWeighted
from .training.modality_recognition import ModalityRecognition
from .training.objective import Objective
from .training.recipe import NetworkEntry, Recipe
from .training.reconstruction import Reconstruction
from .training.restored_focus import RestoredFocus
from .training.sequential_game import SequentialGame
from .training.sparse_coding import SparseCoding
from .training.unsupervised_fusion import UnsupervisedFusion
from .trans_mef import TransMef
from .u2_fusion import U2Fusion

STEPS, BATCH, CROP = 360, 6, 48
VALIDATE_EVERY = 60
LONGER = 900
"""For those that have not settled by then."""


def _both_sources() -> Adversarial:
    return Adversarial(sources=(0, 1), strength=0.05)


def _entry(
    architecture: Callable[[], nn.Module],
    objective: Callable[[], Objective],
    smaller: str,
    *,
    learning_rate: float = 2e-3,
    **recipe: object,
) -> NetworkEntry:
    values = {"steps": STEPS, "batch": BATCH, "crop": CROP, "validate_every": VALIDATE_EVERY} | recipe
    told = f"{smaller}; {values['steps']} steps of {values['batch']} crops of {CROP} x {CROP}"
    return NetworkEntry(architecture, Recipe(objective, learning_rate=learning_rate, smaller=told, **values))  # type: ignore[arg-type]


PUBLISHED: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "adaptive_attention": _entry(AdaptiveAttention, AdaptiveWeighting, "16 channels, no classes to discriminate"),
        "band_similarity": _entry(BandSimilarity, BandAgreement, "16 channels, trained on details of brain slices"),
        "conditional_gan": _entry(
            ConditionalGan, ConditionalTranslation, "4 levels from 12 channels instead of 8 from 64"
        ),
        "ddc_gan": _entry(DdcGan, DualResolution, "a third of the channels", steps=LONGER),
        "deep_fuse": _entry(DeepFuse, ExposureSimilarity, "half of the channels"),
        "dense_gan": _entry(DenseGan, _both_sources, "growth 16, four layers"),
        "dmc_fusion": _entry(DmcFusion, CascadeReconstruction, "three stages of 12 channels"),
        "feature_classifier": _entry(
            FeatureClassifier,
            ModalityRecognition,
            "six convolutions on brain slices instead of VGG on photographs",
            augmentations=(Photometric(),),  # turned images and mixtures would have other labels
            steps=3000,
            batch=12,
            validate_every=200,
        ),
        "fuse_gan": _entry(FuseGan, ConditionalFocus, "12 channels at full size"),
        "fusion_gan": _entry(FusionGan, Adversarial, "an eighth of the channels"),
        "fw_net": _entry(FwNet, GivenBack, "three levels from 10 channels"),
        "ics_autoencoder": _entry(IcsAutoencoder, Reconstruction, "16 and 32 channels"),
        "ifcnn": _entry(Ifcnn, RestoredFocus, "24 channels, the first layer trained instead of taken from ResNet-101"),
        "ift": _entry(Ift, UnsupervisedFusion, "two scales of 16 and 32 channels, trained in one stage"),
        "mcf_net": _entry(McfNet, RestoredFocus, "12 channels at full size"),
        "mgmdc_gan": _entry(MgmdcGan, SequentialGame, "16 channels, one mask"),
        "msd_net": _entry(MsdNet, Reconstruction, "8 channels and growth 8 in each branch", steps=LONGER),
        "pmgi": _entry(Pmgi, GradientAndIntensity, "12 channels instead of 16", steps=LONGER),
        "pyramidal_kernel": _entry(PyramidalKernelCnn, UnsupervisedFusion, "two pyramidal layers of 32 channels"),
        "siamese_weight_map": _entry(
            SiameseWeightMap,
            FocusDecision,
            "a fifth of the channels, trained on brain slices instead of photographs",
            augmentations=(Geometric(), Photometric()),
        ),
        "sparse_autoencoder": _entry(SparseAutoencoder, SparseCoding, "128 units on patches of 8 x 8"),
        "trans_mef": _entry(TransMef, DestroyedReconstruction, "one transformer layer of width 48", steps=LONGER),
        "u2_fusion": _entry(U2Fusion, InformationWeighted, "growth 12 instead of 44, no VGG features"),
    }
)
"""Every published network by name; some serve several methods."""
