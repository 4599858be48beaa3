"""The learned methods after papers: all experimental, chosen by nobody but a person who names them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .adaptive_attention import AdaptiveAttention
from .conditional_gan import ConditionalGan
from .ddc_gan import DdcGan
from .deep_fuse import DeepFuse
from .dense_gan import DenseGan
from .dmc_fusion import DmcFusion
from .fotgv_cnn import FotgvCnn
from .fuse_gan import FuseGan
from .fusion_gan import FusionGan
from .fw_net import FwNet
from .ics_autoencoder import IcsAutoencoder
from .ifcnn import Ifcnn
from .ift import Ift
from .l0_cnn_nsct_sr import L0CnnNsctSr
from .mcf_net import McfNet
from .method import Method
from .mgmdc_gan import MgmdcGan
from .msd_net import MsdNet
from .nsct_cnn import NsctCnn
from .nsst_curvelet_cnn import NsstCurveletCnn
from .pmgi import Pmgi
from .pyramidal_kernel import PyramidalKernel
from .shearlet_similarity import ShearletSimilarity
from .siamese_pyramid import SiamesePyramid
from .sparse_autoencoder import SparseAutoencoderFusion
from .trans_mef import TransMef
from .transfer_dwt import TransferDwt
from .u2_fusion import U2Fusion
from .zero_learning import ZeroLearning

PUBLISHED: Mapping[str, Callable[..., Method]] = MappingProxyType(
    {
        "adaptive_attention": AdaptiveAttention,
        "conditional_gan": ConditionalGan,
        "ddc_gan": DdcGan,
        "deep_fuse": DeepFuse,
        "dense_gan": DenseGan,
        "dmc_fusion": DmcFusion,
        "fotgv_cnn": FotgvCnn,
        "fuse_gan": FuseGan,
        "fusion_gan": FusionGan,
        "fw_net": FwNet,
        "ics_autoencoder": IcsAutoencoder,
        "ifcnn": Ifcnn,
        "ift": Ift,
        "l0_cnn_nsct_sr": L0CnnNsctSr,
        "mcf_net": McfNet,
        "mgmdc_gan": MgmdcGan,
        "msd_net": MsdNet,
        "nsct_cnn": NsctCnn,
        "nsst_curvelet_cnn": NsstCurveletCnn,
        "pmgi": Pmgi,
        "pyramidal_kernel": PyramidalKernel,
        "shearlet_similarity": ShearletSimilarity,
        "siamese_pyramid": SiamesePyramid,
        "sparse_autoencoder": SparseAutoencoderFusion,
        "trans_mef": TransMef,
        "transfer_dwt": TransferDwt,
        "u2_fusion": U2Fusion,
        "zero_learning": ZeroLearning,
    }
)
"""By the name that a recipe gives."""
