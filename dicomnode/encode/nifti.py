"""A volume as a compressed NIfTI-1 file in memory: small numbers of voxels, for looking at.

Written here because SimpleITK writes files only, and no sheared grids. Fields: the NIfTI-1 header (nifti1.h).
"""

import gzip
import struct

import numpy as np
from numpy.typing import NDArray

from fusion.types import Affine4x4

UINT8, INT16, RGB24 = 2, 4, 128
HEADER_BYTES, DATA_AT = 348, 352
MILLIMETRES = 2
SCANNER_ANATOMICAL = 1
FAST = 1
"""Compression that keeps up with the disk; a better one makes the files a tenth smaller in five times the time."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
REVERSED = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
"""NIfTI counts columns first, the array slices first."""


def nifti_bytes(
    voxels: NDArray[np.int16] | NDArray[np.uint8],
    affine: Affine4x4,
    *,
    scale: tuple[float, float] = (1.0, 0.0),
    window: tuple[float, float] = (0.0, 0.0),
    description: str = "",
) -> bytes:
    """(slice, row, column) int16 or uint8, or (slice, row, column, 3) uint8 colours; `affine` is that of a `Grid`.

    A number means `scale[0]` times the voxel plus `scale[1]`; `window` is what to show as black and white.
    """
    kind, bits = (RGB24, 24) if voxels.ndim == 4 else (INT16, 16) if voxels.dtype == np.int16 else (UINT8, 8)
    slices, rows, columns = voxels.shape[:3]
    to_ras = LPS_TO_RAS @ affine @ REVERSED
    spacing = np.linalg.norm(to_ras[:3, :3], axis=0)
    header = bytearray(DATA_AT)
    struct.pack_into("<i", header, 0, HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, kind, bits)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", header, 108, float(DATA_AT), *scale)
    struct.pack_into("<B", header, 123, MILLIMETRES)
    struct.pack_into("<2f", header, 124, window[1], window[0])
    struct.pack_into("<80s", header, 148, description.encode("ascii", "replace"))
    struct.pack_into("<2h", header, 252, 0, SCANNER_ANATOMICAL)
    struct.pack_into("<12f", header, 280, *to_ras[:3].ravel())
    struct.pack_into("<4s", header, 344, b"n+1\0")
    return gzip.compress(bytes(header) + np.ascontiguousarray(voxels).tobytes(), compresslevel=FAST, mtime=0)
