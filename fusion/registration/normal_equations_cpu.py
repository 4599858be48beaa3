"""The normal equations on the CPU: gather, interpolation, derivative and sums in one pass over the voxels."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch

from .node_grid import NodeGrid

TERMS = 11


def fused_sums(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    region: torch.Tensor,
    moving_valid: torch.Tensor,
    displacement: torch.Tensor,
    nodes: NodeGrid,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(10, …) sums and (1, …) counts as `normal_equations` describes them."""
    sums = np.zeros((*nodes.shape, TERMS), dtype=np.float32)
    arrays = [part.contiguous().numpy() for part in (fixed, moving, region, moving_valid, displacement)]

    def some(first: int, end: int) -> None:
        _sum_blocks(*arrays, nodes.voxel_mm, nodes.step, nodes.margin, first, end, sums)

    first, end = nodes.margin, nodes.shape[0] - nodes.margin
    threads = torch.get_num_threads()
    if threads == 1:
        some(first, end)
    else:
        # A slice of nodes owns its voxels: no two threads add to one node, whatever their number.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, range(first, end), range(first + 1, end + 1)))
    by_term = torch.from_numpy(sums).permute(3, 0, 1, 2).contiguous()
    return by_term[: TERMS - 1], by_term[TERMS - 1 :]


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")  # type: ignore[untyped-decorator]
def _sum_blocks(  # noqa: C901 (one pass over nested ranges: parts of it as functions are what it is faster than)
    fixed: Any,
    moving: Any,
    region: Any,
    moving_valid: Any,
    field: Any,
    voxel_mm: float,
    step: int,
    margin: int,
    first: int,
    end: int,
    sums: Any,
) -> None:
    slices, rows, columns, channels = fixed.shape
    last_z, last_y, last_x = np.float32(slices - 1), np.float32(rows - 1), np.float32(columns - 1)
    per_mm = np.float32(1.0 / voxel_mm)
    share_of_one = np.float32(1.0 / channels)
    zero: Any = np.float32(0)
    half = np.float32((step - 1) / 2)
    per_step = np.float32(1.0 / step)
    for a in range(first, end):
        for b in range(margin, sums.shape[1] - margin):
            for c in range(margin, sums.shape[2] - margin):
                node = sums[a, b, c]
                for k in range((a - margin) * step, min((a - margin + 1) * step, slices)):
                    tz = (np.float32(k - (a - margin) * step) - half) * per_step
                    na = a if tz >= 0 else a - 1
                    wz = tz if tz >= 0 else tz + np.float32(1)
                    for j in range((b - margin) * step, min((b - margin + 1) * step, rows)):
                        ty = (np.float32(j - (b - margin) * step) - half) * per_step
                        nb = b if ty >= 0 else b - 1
                        wy = ty if ty >= 0 else ty + np.float32(1)
                        for i in range((c - margin) * step, min((c - margin + 1) * step, columns)):
                            if not region[k, j, i]:
                                continue
                            tx = (np.float32(i - (c - margin) * step) - half) * per_step
                            nc = c if tx >= 0 else c - 1
                            wx = tx if tx >= 0 else tx + np.float32(1)
                            z = np.float32(k) + per_mm * _between(field[0], na, nb, nc, wz, wy, wx)
                            y = np.float32(j) + per_mm * _between(field[1], na, nb, nc, wz, wy, wx)
                            x = np.float32(i) + per_mm * _between(field[2], na, nb, nc, wz, wy, wx)
                            if not (0 <= z <= last_z and 0 <= y <= last_y and 0 <= x <= last_x):
                                continue
                            half_voxel = np.float32(0.5)
                            if not moving_valid[int(z + half_voxel), int(y + half_voxel), int(x + half_voxel)]:
                                continue
                            z0 = min(int(z), slices - 2)
                            y0 = min(int(y), rows - 2)
                            x0 = min(int(x), columns - 2)
                            fz, fy, fx = z - np.float32(z0), y - np.float32(y0), x - np.float32(x0)
                            v = fixed[k, j, i]
                            m000, m001 = moving[z0, y0, x0], moving[z0, y0, x0 + 1]
                            m010, m011 = moving[z0, y0 + 1, x0], moving[z0, y0 + 1, x0 + 1]
                            m100, m101 = moving[z0 + 1, y0, x0], moving[z0 + 1, y0, x0 + 1]
                            m110, m111 = moving[z0 + 1, y0 + 1, x0], moving[z0 + 1, y0 + 1, x0 + 1]
                            zz = zy = zx = yy = yx = xx = zero
                            bz = by = bx = error = zero
                            for n in range(channels):
                                d00, d01 = m001[n] - m000[n], m011[n] - m010[n]
                                d10, d11 = m101[n] - m100[n], m111[n] - m110[n]
                                l00, l01 = m000[n] + fx * d00, m010[n] + fx * d01
                                l10, l11 = m100[n] + fx * d10, m110[n] + fx * d11
                                e0, e1 = l01 - l00, l11 - l10
                                p0, p1 = l00 + fy * e0, l10 + fy * e1
                                gz = p1 - p0
                                gy = e0 + fz * (e1 - e0)
                                h0, h1 = d00 + fy * (d01 - d00), d10 + fy * (d11 - d10)
                                gx = h0 + fz * (h1 - h0)
                                difference = v[n] - (p0 + fz * gz)
                                zz += gz * gz
                                zy += gz * gy
                                zx += gz * gx
                                yy += gy * gy
                                yx += gy * gx
                                xx += gx * gx
                                bz += gz * difference
                                by += gy * difference
                                bx += gx * difference
                                error += difference * difference
                            second = per_mm * per_mm * share_of_one
                            weight = per_mm * share_of_one
                            node[0] += zz * second
                            node[1] += zy * second
                            node[2] += zx * second
                            node[3] += yy * second
                            node[4] += yx * second
                            node[5] += xx * second
                            node[6] += bz * weight
                            node[7] += by * weight
                            node[8] += bx * weight
                            node[9] += error * share_of_one
                            node[10] += np.float32(1)


@numba.njit(cache=True, inline="always", fastmath={"contract", "reassoc", "nsz"})  # type: ignore[untyped-decorator]
def _between(values: Any, a: int, b: int, c: int, wz: float, wy: float, wx: float) -> float:
    """Trilinear between eight nodes."""
    one = np.float32(1)
    low = (one - wy) * ((one - wx) * values[a, b, c] + wx * values[a, b, c + 1]) + wy * (
        (one - wx) * values[a, b + 1, c] + wx * values[a, b + 1, c + 1]
    )
    high = (one - wy) * ((one - wx) * values[a + 1, b, c] + wx * values[a + 1, b, c + 1]) + wy * (
        (one - wx) * values[a + 1, b + 1, c] + wx * values[a + 1, b + 1, c + 1]
    )
    result: float = low + wz * (high - low)
    return result
