"""Users and keys on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicomnode.answer.web.passwords import fits
from dicomnode.commands.users import users_app
from storage.api_keys import ApiKeys
from storage.migrate import upgrade
from storage.people import People
from storage.records import Role
from storage.session import Database

PASSWORD = "long enough for all"


@pytest.fixture
def node(tmp_path: Path) -> tuple[list[str], Database]:
    """The option that names the settings, and the ledger."""
    configuration = tmp_path / "node.toml"
    configuration.write_text(f'[storage]\npath = "{tmp_path}"\n')
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    return ["--config", str(configuration)], database


def test_a_user_comes_changes_and_goes(node: tuple[list[str], Database]) -> None:
    config, database = node
    run, people = CliRunner(), People(database)

    def said(*arguments: str, given: str = "") -> str:
        result = run.invoke(users_app, [*arguments, *config], input=given)
        assert result.exit_code == 0, result.output
        return result.output

    said("add", "Ada", "--role", "administrator", "--password-stdin", given=f"{PASSWORD}\n")
    assert fits(PASSWORD, people.get("ada").password_hash)
    said("role", "Ada", "reviewer")
    assert people.get("ada").role is Role.REVIEWER
    said("passwd", "Ada", "--password-stdin", given="another that is long\n")
    assert fits("another that is long", people.get("ada").password_hash)
    assert '"name": "Ada"' in said("list", "--json")
    assert run.invoke(users_app, ["add", "Eve", "--password-stdin", *config], input="short\n").exit_code != 0
    said("remove", "Ada")
    assert not people.any()


def test_a_key_is_told_once(node: tuple[list[str], Database]) -> None:
    config, database = node
    run = CliRunner()
    made = run.invoke(users_app, ["key", "add", "archive", "--scope", "dicomweb", "--days", "1", *config])
    assert made.exit_code == 0
    secret = made.output.strip()
    (key,) = ApiKeys(database).list()
    assert (key.name, key.scopes, key.role) == ("archive", ("dicomweb",), Role.VIEWER)
    assert secret not in run.invoke(users_app, ["key", "list", *config]).output
    assert run.invoke(users_app, ["key", "add", "other", "--scope", "everything", *config]).exit_code != 0
    assert run.invoke(users_app, ["key", "remove", "archive", *config]).exit_code == 0
    assert ApiKeys(database).list() == ()
