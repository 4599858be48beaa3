"""`users`: who may log in to the pages, and the keys of scripts."""

import getpass
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from storage.api_keys import ApiKeys
from storage.people import People
from storage.records import Role
from storage.session import Database

from ..errors import SettingsError
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

users_app = typer.Typer(help="Who may log in to the pages: add, list, role, passwd, remove; key: for scripts.")
key_app = typer.Typer(help="Keys of scripts: add, list, remove.")
users_app.add_typer(key_app, name="key")

Name = Annotated[str, typer.Argument(help="How they log in.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do.")]
PasswordFromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


@users_app.command()
def add(
    name: Name,
    role: RoleOption = Role.VIEWER,
    password_stdin: PasswordFromInput = False,
    subject: Annotated[
        str, typer.Option("--subject", help="Whom the identity provider names so; then no password is asked for.")
    ] = "",
    config: Config = None,
) -> None:
    """A new user; the password is asked for."""
    password_hash = "" if subject else _hash_of(_password(from_input=password_stdin))
    user = People(_ledger(config)).add(name, role, password_hash, subject)
    out.print(f"{user.name} is {user.role.value}", highlight=False)


@users_app.command("list")
def list_users(config: Config = None, json: Json = False) -> None:
    """Everybody who may log in."""
    users = People(_ledger(config)).list()
    if json:
        values = [{"name": one.name, "role": one.role.value, "subject": one.subject} for one in users]
        write_json({"users": values})
        return
    table = Table("name", "role", "login", "since")
    for user in users:
        login = " ".join(word for word, has in (("password", user.password_hash), ("provider", user.subject)) if has)
        table.add_row(user.name, user.role.value, login, f"{user.created_at:%Y-%m-%d}")
    out.print(table)


@users_app.command("role")
def set_role(name: Name, role: Annotated[Role, typer.Argument(help="The new role.")], config: Config = None) -> None:
    """Another role; they have to log in again."""
    user = People(_ledger(config)).set_role(name, role)
    out.print(f"{user.name} is {user.role.value}", highlight=False)


@users_app.command()
def passwd(name: Name, password_stdin: PasswordFromInput = False, config: Config = None) -> None:
    """Another password; they have to log in again."""
    people = People(_ledger(config))
    people.get(name)
    people.set_password(name, _hash_of(_password(from_input=password_stdin)))
    out.print(f"{name} has another password", highlight=False)


@users_app.command()
def remove(name: Name, config: Config = None) -> None:
    """Take the user away, and end their logins."""
    People(_ledger(config)).remove(name)
    out.print(f"{name} is removed", highlight=False)


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option("--scope", help="An area that it opens; several are possible.")],
    role: RoleOption = Role.VIEWER,
    days: Annotated[int, typer.Option("--days", help="How long it lasts; 0: until it is removed.", min=0)] = 365,
    config: Config = None,
) -> None:
    """A new key; its secret is printed once, on standard output."""
    from ..answer.web.guard import AREAS

    areas = sorted(set(AREAS) - {"own"})
    if unknown := sorted(set(scope) - set(areas)):
        raise SettingsError(f"no area {', '.join(unknown)}; there are {', '.join(areas)}")
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    secret, _ = ApiKeys(_ledger(config)).add(name, role, sorted(set(scope)), getpass.getuser(), expires_at)
    sys.stdout.write(f"{secret}\n")


@key_app.command("list")
def list_keys(config: Config = None, json: Json = False) -> None:
    """Every key, without its secret."""
    keys = ApiKeys(_ledger(config)).list()
    if json:
        write_json({"keys": [{"name": one.name, "role": one.role.value, "scopes": list(one.scopes)} for one in keys]})
        return
    table = Table("name", "role", "for", "made by", "last used", "until")
    for key in keys:
        used, until = (f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in (key.last_used_at, key.expires_at))
        table.add_row(key.name, key.role.value, ", ".join(key.scopes), key.created_by, used, until)
    out.print(table)


@key_app.command("remove")
def remove_key(name: Annotated[str, typer.Argument(help="The key.")], config: Config = None) -> None:
    """From now on it opens nothing."""
    ApiKeys(_ledger(config)).remove(name)
    out.print(f"the key {name} is removed", highlight=False)


def _password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _hash_of(password: str) -> str:
    from ..answer.web.passwords import hashed

    return hashed(password)


def _ledger(config: Config) -> Database:
    return ledger_of(settings_from(config))
