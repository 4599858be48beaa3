"""`conflicts`: instances that came again with other content, and the decision which of them is used."""

import getpass
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from storage.catalogue import Catalogue
from storage.interventions import Interventions
from storage.objects import ObjectStore
from storage.records import AddOutcome, SetAsideInstance

from ..receive.file_format import received_in
from ..receive.ingest import Ingest
from .ledger import Actor
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

conflicts_app = typer.Typer(
    help="Instances that came again with other content: list, use.", invoke_without_command=True
)

SopInstanceUid = Annotated[str, typer.Argument(help="The SOP Instance UID.")]
Digest = Annotated[str, typer.Argument(help="The bytes to use: the first characters of their digest.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")]


@conflicts_app.callback()
def conflicts(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """What came again with other content; without a subcommand, the list."""
    if context.invoked_subcommand is None:
        list_conflicts(config=config, json=json)
    else:
        context.default_map = {context.invoked_subcommand: {"config": config, "json": json}}


@conflicts_app.command("list")
def list_conflicts(
    versions: Annotated[bool, typer.Option("--versions", help="Also those of which only the header differs.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """What is set aside: other pixels, and with --versions other headers, under names that are in use."""
    database = ledger_of(settings_from(config))
    found = [one for one in Catalogue(database).aside.list() if versions or one.reason is AddOutcome.CONFLICT]
    decided = {entry.subject for entry in Interventions(database).list(limit=10_000)}
    if json:
        write_json({"conflicts": [set_aside_values(one, decided) for one in found]})
        return
    uid = Column("instance", overflow="fold")
    table = Table(uid, "what", "in use", "set aside", "from", "received", "header differs in", "decided")
    for one in found:
        values = set_aside_values(one, decided)
        table.add_row(
            one.sop_instance_uid,
            one.reason.value,
            (values["in_use"] or "")[:12],
            one.stored.digest[:12],
            one.source_ae_title,
            f"{one.received_at:%Y-%m-%d %H:%M:%S}",
            ", ".join(one.differences or ()),
            "yes" if values["decided"] else "no",
        )
    out.print(table)


@conflicts_app.command()
def use(
    sop_instance_uid: SopInstanceUid,
    digest: Digest,
    reason: Why,
    actor: Actor = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Use these bytes under the name, and set aside the others; the series is matched again, its cases are replaced."""
    settings = settings_from(config)
    catalogue = Catalogue(ledger_of(settings))
    store = ObjectStore(settings.storage.path / "objects", settings.storage.reserve_bytes)
    one = catalogue.aside.find(sop_instance_uid, digest)
    received = received_in(store.read(one.stored.digest), one.received_at)
    instance = Ingest(store, catalogue, settings).described(one.stored, received)
    catalogue.aside.use(one, instance, actor or getpass.getuser(), reason)
    if json:
        write_json({"sop_instance_uid": sop_instance_uid, "in_use": one.stored.digest})
    else:
        out.print(f"{sop_instance_uid} now is {one.stored.digest[:12]}; its series is matched again", highlight=False)


def set_aside_values(one: SetAsideInstance, decided: set[str]) -> dict[str, Any]:
    """One instance that is set aside, as plain values."""
    return {
        "sop_instance_uid": one.sop_instance_uid,
        "series_instance_uid": one.series_instance_uid,
        "reason": one.reason.value,
        "in_use": one.in_use.digest if one.in_use else None,
        "set_aside": one.stored.digest,
        "differences": None if one.differences is None else list(one.differences),
        "source_ae_title": one.source_ae_title,
        "received_at": one.received_at.isoformat(),
        "decided": one.sop_instance_uid in decided,
    }
