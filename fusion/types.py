"""Shapes, named once.

Geometry is float64 on the CPU (NumPy); voxels are float32 torch tensors on any device. Coordinates are DICOM
patient coordinates: LPS, millimetres.
"""

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Affine4x4: TypeAlias = NDArray[np.float64]
"""(4, 4): homogeneous array index (slice, row, column, 1) or point (x, y, z, 1) to LPS mm."""

Points: TypeAlias = NDArray[np.float64]
"""(…, 3): x, y, z in LPS mm."""

Indices: TypeAlias = NDArray[np.float64]
"""(…, 3): slice, row, column; fractional between voxel centres."""

VoxelArray: TypeAlias = torch.Tensor
"""(slice, row, column) float32."""

MaskArray: TypeAlias = torch.Tensor
"""(slice, row, column) bool."""

ColourArray: TypeAlias = torch.Tensor
"""(slice, row, column, 3) uint8, sRGB."""

VectorField: TypeAlias = torch.Tensor
"""(3, slice, row, column) float32: x, y, z of a displacement in LPS mm."""
