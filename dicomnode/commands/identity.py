"""`identity`: series in quarantine, patients that were merged, studies that were moved."""

import getpass
from typing import Annotated

import typer
from rich.table import Column, Table

from storage.catalogue import Catalogue
from storage.identity_changes import Corrected
from storage.interventions import Interventions
from storage.records import PatientIdentity

from .ledger import Actor
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

identity_app = typer.Typer(help="Whose images: list, release, merge, move, log.", invoke_without_command=True)

Why = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")]
Issuer = Annotated[str, typer.Option("--issuer", help="Who issued the ID; node.patient_id_domain unless given.")]
Name = Annotated[str, typer.Option("--name", help="As DICOM writes it, Family^Given; as known unless given.")]
BirthDate = Annotated[str, typer.Option("--birth-date", help="YYYYMMDD; as known unless given.")]
Sex = Annotated[str, typer.Option("--sex", help="M, F or O; as known unless given.")]


@identity_app.callback()
def identity(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """Whose images they are; without a subcommand, the quarantine."""
    if context.invoked_subcommand is None:
        list_held(config=config, json=json)
    else:
        context.default_map = {context.invoked_subcommand: {"config": config, "json": json}}


@identity_app.command("list")
def list_held(config: Config = None, json: Json = False) -> None:
    """The series in quarantine: they contradict their study or themselves, and are not matched."""
    held = Catalogue(ledger_of(settings_from(config))).quarantine.list()
    if json:
        write_json(
            {
                "quarantined": [
                    {"series_instance_uid": uid, "reasons": list(reasons), "since": since.isoformat()}
                    for uid, reasons, since in held
                ]
            }
        )
        return
    table = Table(Column("series", overflow="fold"), "why", "since")
    for uid, reasons, since in held:
        table.add_row(uid, "; ".join(reasons), f"{since:%Y-%m-%d %H:%M:%S}")
    out.print(table)


@identity_app.command()
def release(
    series_instance_uid: str, reason: Why, actor: Actor = "", config: Config = None, json: Json = False
) -> None:
    """The series is of the patient that it names: it is matched from now on."""
    catalogue = Catalogue(ledger_of(settings_from(config)))
    catalogue.quarantine.release(series_instance_uid, actor or getpass.getuser(), reason)
    if json:
        write_json({"released": [series_instance_uid]})
    else:
        out.print(f"{series_instance_uid} will be matched", highlight=False)


@identity_app.command()
def merge(
    prior: Annotated[str, typer.Argument(help="The patient ID that is no longer used.")],
    surviving: Annotated[str, typer.Argument(help="The patient ID that remains.")],
    reason: Why,
    prior_issuer: Annotated[str, typer.Option("--prior-issuer", help="Who issued the former ID.")] = "",
    issuer: Issuer = "",
    name: Name = "",
    birth_date: BirthDate = "",
    sex: Sex = "",
    actor: Actor = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Both IDs are one patient: images of the former one are those of the other, also what still comes."""
    settings = settings_from(config)
    former = PatientIdentity(prior, prior_issuer or settings.node.patient_id_domain)
    patient = PatientIdentity(surviving, issuer or settings.node.patient_id_domain, name, birth_date, sex)
    changes = Catalogue(ledger_of(settings)).identities
    _tell(changes.merge(former, patient, actor or getpass.getuser(), reason), json=json)


@identity_app.command("move")
def move_study(
    study_instance_uid: str,
    patient_id: str,
    reason: Why,
    issuer: Issuer = "",
    name: Name = "",
    birth_date: BirthDate = "",
    sex: Sex = "",
    actor: Actor = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """The images of a study are of another patient, also those that still come."""
    settings = settings_from(config)
    patient = PatientIdentity(patient_id, issuer or settings.node.patient_id_domain, name, birth_date, sex)
    changes = Catalogue(ledger_of(settings)).identities
    _tell(changes.move(study_instance_uid, patient, actor or getpass.getuser(), reason), json=json)


@identity_app.command("log")
def show_log(
    limit: Annotated[int, typer.Option("--limit", help="How many at most.", min=1)] = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """What people decided about what was received, the newest first."""
    entries = Interventions(ledger_of(settings_from(config))).list(limit)
    if json:
        write_json(
            {
                "interventions": [
                    {
                        "at": entry.at.isoformat(),
                        "kind": entry.kind,
                        "subject": entry.subject,
                        "cause": entry.cause,
                        "actor": entry.actor,
                        "details": dict(entry.details),
                    }
                    for entry in entries
                ]
            }
        )
        return
    table = Table("when", "what", Column("about", overflow="fold"), "why", "who")
    for entry in entries:
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.kind, entry.subject, entry.cause, entry.actor)
    out.print(table)


def _tell(corrected: Corrected, *, json: bool) -> None:
    if json:
        write_json(
            {
                "series": list(corrected.series_instance_uids),
                "released": list(corrected.released),
                "withdrawn_cases": list(corrected.withdrawn),
            }
        )
        return
    out.print(
        f"{len(corrected.series_instance_uids)} series have another patient and are matched again, "
        f"{len(corrected.released)} left the quarantine, {len(corrected.withdrawn)} cases were withdrawn",
        highlight=False,
    )
