"""The learned mixture of more than two images: what it says of every two of them, brought together."""

from collections.abc import Sequence
from itertools import combinations

import torch

from ..networks.weights import load_network
from ..types import VoxelArray


def joint_shares(
    images: Sequence[VoxelArray], spacing_mm: tuple[float, float, float], network: str
) -> list[VoxelArray]:
    """The weight of each image, 0…1, together 1: in proportion to the product of its weights against all others.

    Of two images these are the weights themselves. Where no image holds out against all others, all count alike.
    `network` gives the weight of the first of two images, and one less it of the second.
    """
    asked = load_network(network, images[0].device)
    products = [torch.ones_like(image) for image in images]
    with torch.no_grad():
        for one, other in combinations(range(len(images)), 2):
            share = asked(images[one][None, None], images[other][None, None], spacing_mm)[0, 0]
            products[one].mul_(share)
            products[other].mul_(1 - share)
    total = torch.zeros_like(images[0])
    for product in products:
        total.add_(product)
    nobody = total <= 0
    total.masked_fill_(nobody, 1.0)
    return [product.div_(total).masked_fill_(nobody, 1 / len(images)) for product in products]


def joint_mixture(images: Sequence[VoxelArray], shares: Sequence[VoxelArray]) -> VoxelArray:
    """Every image by its share; rounding never leaves the range of all of them."""
    mixed, lowest, highest = torch.zeros_like(images[0]), images[0], images[0]
    for image, share in zip(images, shares, strict=True):
        mixed.addcmul_(image, share)
        lowest, highest = torch.minimum(lowest, image), torch.maximum(highest, image)
    return torch.minimum(torch.maximum(mixed, lowest), highest)
