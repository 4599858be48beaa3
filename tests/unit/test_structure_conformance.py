"""The conformance statement is what the node does."""

import re
from dataclasses import replace
from pathlib import Path

import torch

from dicomnode.commands.conformance import DERIVED_CLASSES, DERIVED_MEANING, statement
from dicomnode.encode import OF_ALL, OUTPUTS, encode, fused_together
from dicomnode.network.contexts import storage_contexts
from dicomnode.receive.status import OUTCOMES, STATUSES
from fusion.geometry.displacement import DisplacementTransform
from tests.fixtures.derived_case import ALL_OUTPUTS, FRAMES, build_case, grid

STATEMENT = Path(__file__).parents[2] / "deploy" / "CONFORMANCE.md"


def test_the_committed_statement_is_the_generated_one() -> None:
    assert STATEMENT.read_text(encoding="utf-8") == statement(), "run: dicomnode conformance > deploy/CONFORMANCE.md"


def test_the_presentation_contexts_are_those_of_the_statement() -> None:
    section = statement().split("## Storage as SCP")[1].split("### Statuses")[0]
    classes, syntaxes = section.split("| Transfer syntax | UID |")
    uid = re.compile(r"\| ([0-9.]+) \|$", flags=re.MULTILINE)
    contexts = storage_contexts()
    assert uid.findall(classes) == [context.abstract_syntax for context in contexts]
    assert all(uid.findall(syntaxes) == context.transfer_syntax for context in contexts)


def test_every_status_that_can_be_answered_is_in_the_statement() -> None:
    told = set(re.findall(r"^\| 0x([0-9A-F]{4}) \| PS3", statement(), flags=re.MULTILINE))
    assert told == {f"{status.code:04X}" for status in (*STATUSES.values(), *OUTCOMES.values())}


def test_every_output_is_in_the_statement_as_what_it_is_written() -> None:
    assert DERIVED_CLASSES.keys() == DERIVED_MEANING.keys() == {*OUTPUTS, *OF_ALL}
    assert OUTPUTS.keys() == {*ALL_OUTPUTS, "jacobian"}
    written: dict[str, set[str]] = {kind: set() for kind in DERIVED_CLASSES}
    for modality in ("CT", "MR", "PT", "NM"):
        for multi_frame in (False, True):
            case = build_case(modality, output_parameters={"fused_multi_frame": multi_frame})
            for series in encode(case):
                written[series.kind] |= {str(instance.SOPClassUID) for instance in series.instances}
    still = build_case(outputs=("jacobian", "spatial_registration"))
    bent = DisplacementTransform(torch.zeros(3, 4, 4, 4), grid((4, 4, 4), (40.0, 50.0, 50.0), FRAMES["fixed"]))
    registration = replace(still.moving.registration, transform=bent)
    for series in encode(replace(still, moving=replace(still.moving, registration=registration))):
        written[series.kind] |= {str(instance.SOPClassUID) for instance in series.instances}
    written["fused_together"].add(str(fused_together([still], still.moving.fused).instances[0].SOPClassUID))
    assert written == {kind: set(classes) for kind, classes in DERIVED_CLASSES.items()}
