import os
from collections.abc import Iterator

import pytest
import torch

from fusion.device import choose_device, make_deterministic
from fusion.errors import ParameterError


def test_auto_is_cuda_where_there_is_one() -> None:
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "", "mps", "cuda:1000"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(ParameterError):
        choose_device(wanted)


@pytest.fixture
def torch_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.backends.cuda.matmul.allow_tf32 = before[1]


@pytest.mark.usefixtures("torch_as_it_was")
def test_a_process_can_be_made_deterministic() -> None:
    make_deterministic()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.backends.cuda.matmul.allow_tf32
