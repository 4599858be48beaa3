"""Another program's opinion on a pair: SimpleITK, Mattes mutual information, rigid, three resolutions."""

import math

import numpy as np
import SimpleITK

from fusion import Volume
from fusion.geometry.transform import AffineTransform
from tests.fixtures.volumes import sitk_image

SAMPLES = 200_000


def independently_registered(fixed: Volume, moving: Volume, *, from_masses: bool = True) -> AffineTransform:
    """Fixed → moving, started with one centre of mass on the other or at the identity."""
    images = [SimpleITK.Cast(sitk_image(volume), SimpleITK.sitkFloat32) for volume in (fixed, moving)]
    start = SimpleITK.Euler3DTransform()
    start.SetCenter(fixed.grid.centre_mm.tolist())
    if from_masses:
        how = SimpleITK.CenteredTransformInitializerFilter.MOMENTS
        start = SimpleITK.Euler3DTransform(SimpleITK.CenteredTransformInitializer(*images, start, how))
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    voxels = math.prod(fixed.grid.shape)
    method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES * 8**k / voxels) for k in (2, 1, 0)], 1)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.005, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4, 2, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(*images)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(start.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = start.TransformPoint((0.0, 0.0, 0.0))
    return AffineTransform(matrix)
