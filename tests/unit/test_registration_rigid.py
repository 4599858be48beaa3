"""A known move of a head is found again, in another contrast and with its voxels stored in another order."""

import numpy as np

from fusion import Verdict, assess, register
from fusion.geometry.transform import AffineTransform
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head, mean_error_mm, reordered
from tests.fixtures.volumes import make_grid

COARSE = make_grid((40, 60, 50), (5.0, 4.0, 4.0))


def test_a_known_move_is_recovered_across_contrasts() -> None:
    shift_mm = (30.0, -25.0, 15.0)
    move = AffineTransform.rigid(np.radians((12, -20, 25)).tolist(), shift_mm)
    grid = make_grid((40, 60, 50), (5.0, 4.0, 4.0), centre_mm=shift_mm)
    ct, mr = head(CT_HU, modality="CT", noise=0.01, grid=COARSE), reordered(head(MR_T1, move=move, grid=grid))
    found = register(ct, mr, "rigid", climbing=16)
    error = mean_error_mm(found.transform.affine, move)
    assert error < 0.9, "0.3 to 0.8 mm, depending on where the samples fall in voxels of 4 to 5"
    assert error < found.error_bound_mm < 5
    report = assess(ct, mr, found)
    assert report.verdict is Verdict.ACCEPT, report.reasons
