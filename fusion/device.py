"""Where the mathematics runs: chosen once, at start-up, and logged by whoever chose."""

import os

import torch

from .errors import ParameterError


def choose_device(wanted: str = "auto") -> torch.device:
    """`auto` (CUDA where there is a device, else the CPU), `cpu`, `cuda` or `cuda:<number>`.

    Raises `ParameterError` for another name, or when CUDA is asked for and is not there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = wanted.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ParameterError(f"a device is auto, cpu, cuda or cuda:<number>, not {wanted!r}")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ParameterError(
            f"{wanted} was asked for and this machine has {torch.cuda.device_count()} CUDA devices; set auto or cpu"
        )
    return torch.device(wanted)


def make_deterministic() -> None:
    """The same input gives the same bits on the same device: for the whole process, before the first computation.

    Operations that CUDA has only in an unordered form warn and go on, because a result with a note is worth more
    to a case than none.
    """
    # cuBLAS reads this when it is first used (docs.nvidia.com/cuda/cublas, "Results reproducibility").
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
