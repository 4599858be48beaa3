"""Meyer's smooth step."""

import torch


def rise(share: torch.Tensor) -> torch.Tensor:
    """ν(t) = t⁴ (35 − 84 t + 70 t² − 20 t³) between 0 and 1, flat beyond (`daubechies1992`).

    ν(t) + ν(1 − t) = 1.
    """
    t = share.clamp(0.0, 1.0)
    return t**4 * (35 + t * (-84 + t * (70 - 20 * t)))
