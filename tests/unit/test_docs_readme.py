"""What README says is what there is."""

import re
from pathlib import Path

import pytest

from fusion import METHODS, REGISTRARS
from storage.transitions import TRANSITIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(head: str) -> list[list[str]]:
    """The rows below the head line that begins with `head`."""
    lines = README.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_states_of_a_case_are_those_of_the_table() -> None:
    drawn = {
        None if before == "(new)" else before: {after for after in afters.split(", ") if after}
        for before, afters in table("| from | to |")
    }
    assert drawn == {before: {after.value for after in afters} for before, afters in TRANSITIONS.items()}


@pytest.mark.parametrize(("head", "entries"), [("| registrar |", REGISTRARS), ("| method |", METHODS)])
def test_every_registrar_and_method_is_listed(head: str, entries: dict[str, object]) -> None:
    names = [name for cell, _ in table(head) for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(names) == sorted(entries)


def test_where_to_change_what_names_places_that_exist() -> None:
    rows = table("| to add or change |")
    assert len(rows) > 8
    for _, file, line in rows:
        for name in re.findall(r"`([^`]+)`", f"{file} {line}"):
            if "/" in name:
                assert (ROOT / name).exists(), name
            elif name.isupper() or name == "OutputKind":
                places = [place for place in re.findall(r"`([^`]+\.py)`", f"{file} {line}") if "/" in place]
                assert any(re.search(rf"\b{name}\b", (ROOT / place).read_text(encoding="utf-8")) for place in places)


def test_it_is_one_page() -> None:
    assert len(README.splitlines()) <= 130
