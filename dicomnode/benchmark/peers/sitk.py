"""SimpleITK: Mattes mutual information, rigid, three resolutions, started with one centre of mass on the other."""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK

SAMPLES = 200_000


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    fixed, moving = (SimpleITK.ReadImage(request[role], SimpleITK.sitkFloat32) for role in ("fixed", "moving"))
    began = time.process_time()
    start = SimpleITK.Euler3DTransform()
    how = SimpleITK.CenteredTransformInitializerFilter.MOMENTS
    start = SimpleITK.Euler3DTransform(SimpleITK.CenteredTransformInitializer(fixed, moving, start, how))
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    voxels = math.prod(fixed.GetSize())
    method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES * 8**k / voxels) for k in (2, 1, 0)], 1)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.005, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4, 2, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(start.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = start.TransformPoint((0.0, 0.0, 0.0))
    answer = {"cpu_s": time.process_time() - began, "matrix": matrix.tolist()}
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
