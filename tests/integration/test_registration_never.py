"""Every kind of pair that must never be accepted, on generated images; two people are in `test_registration_heads`."""

from collections.abc import Callable

import pytest

from dicomnode.benchmark.never import Volumes, never_key, spoilt
from dicomnode.benchmark.pairs import GENERATED
from dicomnode.benchmark.tools import Ours
from fusion import Verdict, assess, register
from tests.fixtures.blind_pairs import trunk_ct
from tests.fixtures.two_contrast_head import MR_T1, head

SPOILT = [pytest.param(kind, make, id=never_key(kind, name)) for kind, name, make in spoilt(GENERATED, None)]
REFUSED = frozenset({"empty", "constant", "single slice", "hardly any overlap", "mirrored"})


@pytest.mark.parametrize(("kind", "make"), SPOILT)
def test_what_is_left_of_a_spoilt_pair_is_never_accepted(kind: str, make: Callable[[], Volumes]) -> None:
    answer = Ours().rigid(*make())
    assert answer.said["verdict"] == ("reject" if kind in REFUSED else "review"), answer.said
    assert answer.said["reason"]


@pytest.mark.parametrize("head_is_fixed", [True, False], ids=["a trunk onto a head", "a head onto a trunk"])
def test_other_parts_of_a_body_are_never_accepted(head_is_fixed: bool) -> None:
    sides = [head(MR_T1), trunk_ct()]
    fixed, moving = sides if head_is_fixed else sides[::-1]
    report = assess(fixed, moving, register(fixed, moving, "rigid", climbing=24))
    assert report.verdict is not Verdict.ACCEPT
