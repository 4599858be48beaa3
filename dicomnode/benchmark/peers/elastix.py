"""elastix: its default rigid parameters (Mattes mutual information, adaptive stochastic gradient descent)."""

import json
import sys
import time
from pathlib import Path

import itk
import numpy as np


def main() -> None:
    """Answer the request that the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    fixed, moving = (itk.imread(request[role], itk.F) for role in ("fixed", "moving"))
    began = time.process_time()
    parameters = itk.ParameterObject.New()
    settings = itk.ParameterObject.GetDefaultParameterMap("rigid")
    settings["WriteResultImage"] = ["false"]
    parameters.AddParameterMap(settings)
    _, found = itk.elastix_registration_method(fixed, moving, parameter_object=parameters, log_to_console=False)
    spent = time.process_time() - began
    result = found.GetParameterMap(0)
    transform = itk.Euler3DTransform[itk.D].New()
    transform.SetCenter([float(x) for x in result["CenterOfRotationPoint"]])
    transform.SetComputeZYX(result.get("ComputeZYX", ["false"])[0] == "true")
    values = itk.OptimizerParameters[itk.D](6)
    for index, value in enumerate(result["TransformParameters"]):
        values[index] = float(value)
    transform.SetParameters(values)
    matrix = np.eye(4)
    matrix[:3, 3] = list(transform.TransformPoint([0.0, 0.0, 0.0]))
    for axis in range(3):
        unit = [float(axis == k) for k in range(3)]
        matrix[:3, axis] = np.array(list(transform.TransformPoint(unit))) - matrix[:3, 3]
    answer = {"cpu_s": spent, "matrix": matrix.tolist()}
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
