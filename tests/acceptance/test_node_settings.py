"""A node that could never carry out a case does not stay up and pretend."""

from collections.abc import Callable

import pytest

from tests.fixtures.node_process import NodeProcess

pytestmark = pytest.mark.pacs


def test_a_misspelt_method_ends_the_node_with_its_name(make_node: Callable[..., NodeProcess]) -> None:
    node = make_node(1)
    node.configuration.write_text(
        node.configuration.read_text() + '\n[recipes.default]\nmethod = "alpha_blond"\n', encoding="utf-8"
    )
    done = node.command("serve")
    assert done.returncode == 2
    assert "alpha_blond" in done.stderr
    assert "alpha_blend" in done.stderr, "what is known is said"
