"""`cases` and `series`: what the node holds, has decided and has made."""

import getpass
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer
from rich.table import Column, Table

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.outbox import Outbox
from storage.records import (
    CaseEvent,
    CaseRecord,
    CaseState,
    Delivery,
    DeliveryState,
    DerivedSeries,
    Rejection,
    SeriesChoice,
    SeriesRecord,
)

from ..send.deliveries import deliveries_of
from ..settings import Settings
from .terminal import Config, Json, ledger_of, out, settings_from, write_json

cases_app = typer.Typer(help="The cases: list, show, approve, reject, retry, withdraw.", invoke_without_command=True)

CaseId = Annotated[str, typer.Argument(help="The case, or the first characters of its name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the case's event log.")]
Because = Literal["quality", "safety", "worklist"]
Actor = Annotated[str, typer.Option("--as", help="Who decides; the account's name unless given.")]
Limit = Annotated[int, typer.Option("--limit", help="How many at most.", min=1)]


@cases_app.callback()
def cases(context: typer.Context, config: Config = None, json: Json = False) -> None:
    """The cases; without a subcommand, the list."""
    if context.invoked_subcommand is None:
        list_cases(config=config, json=json)
    else:  # what stands before the subcommand is meant for it
        context.default_map = {context.invoked_subcommand: {"config": config, "json": json}}


@cases_app.command("list")
def list_cases(
    state: Annotated[list[CaseState] | None, typer.Option("--state", help="Only these states.")] = None,
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """The newest cases."""
    database = ledger_of(settings_from(config))
    records = Cases(database).list(limit, tuple(state or ()))
    outbox = Outbox(database)
    if json:
        write_json({"cases": [case_values(record, outbox.of_case(record.case_id)) for record in records]})
        return
    table = Table("case", "state", "rule", "fixed ← moving", "verdict", "expected mm", "delivery", "updated")
    for record in records:
        table.add_row(
            record.case_id[:8],
            record.state.value,
            record.plan.rule,
            f"{record.plan.fixed.modality} ← {' + '.join(choice.modality for choice in record.plan.moving)}",
            record.result.verdict if record.result else "",
            ", ".join(_millimetres(report.get("expected_error_mm")) for report in _reports(record)),
            delivery_summary(outbox.of_case(record.case_id)) or record.error[:60],
            f"{record.updated_at:%Y-%m-%d %H:%M:%S}",
        )
    out.print(table)


@cases_app.command("show")
def show(case_id: CaseId, config: Config = None, json: Json = False) -> None:
    """One case with its plan, every reason, its verdict, its deliveries and its history."""
    database = ledger_of(settings_from(config))
    store = Cases(database)
    record = store.get(case_id)
    deliveries, events = Outbox(database).of_case(record.case_id), store.events(record.case_id)
    if json:
        write_json({**case_values(record, deliveries), "events": [event_values(event) for event in events]})
        return
    out.print(f"[bold]{record.case_id}[/]  {record.state.value}  rule {record.plan.rule}", highlight=False)
    for title, choice in _choices(record):
        out.print(f"\n[bold]{title}[/] {choice.modality} series {choice.series_instance_uid}", highlight=False)
        out.print(f"  {len(choice.sop_instance_uids)} instances; {choice.description}", highlight=False)
        _sentences(choice.reasons)
    out.print("\n[bold]plan[/]")
    _sentences(record.plan.reasons)
    for report in _reports(record):
        out.print(
            f"\n[bold]{report['verdict']}[/] expected {_millimetres(report.get('expected_error_mm'))} mm, "
            f"bound {_millimetres(report.get('error_bound_mm'))} mm, registrar {report['registrar']}",
            highlight=False,
        )
        _sentences(report["reasons"])
    if record.error:
        out.print(f"\n[red]error[/] {record.error}", highlight=False)
    if deliveries:
        out.print("\n[bold]deliveries[/]")
        _sentences([_delivery_sentence(delivery) for delivery in deliveries])
    out.print("\n[bold]history[/]")
    _sentences(
        [f"{event.at:%Y-%m-%d %H:%M:%S} {event.to_state.value}: {event.cause} ({event.actor})" for event in events]
    )


@cases_app.command()
def approve(case_id: CaseId, reason: Reason, actor: Actor = "", config: Config = None, json: Json = False) -> None:
    """Send a case that waits for review, as a named person."""
    settings = settings_from(config)
    store = Cases(ledger_of(settings))
    record = store.get(case_id)
    deliveries = deliveries_of(record.plan, record.result, settings) if record.result else ()
    _tell(store.approve(record.case_id, deliveries, actor or getpass.getuser(), reason), json=json)


@cases_app.command()
def reject(case_id: CaseId, reason: Reason, actor: Actor = "", config: Config = None, json: Json = False) -> None:
    """End a case that waits for review; nothing of it is sent."""
    store = _cases(settings_from(config))
    _tell(store.reject(store.get(case_id).case_id, actor or getpass.getuser(), reason), json=json)


@cases_app.command()
def retry(
    case_id: CaseId,
    reason: Reason = "asked for on the command line",
    actor: Actor = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Queue a failed or quarantined case again, or send what the outbox gave up on."""
    store = _cases(settings_from(config))
    _tell(store.retry(store.get(case_id).case_id, actor or getpass.getuser(), reason), json=json)


@cases_app.command()
def withdraw(
    case_id: CaseId,
    reason: Reason,
    because: Annotated[Because, typer.Option("--because", help="What the note to the peers is titled.")] = "quality",
    actor: Actor = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Take a case back: every peer that got its results is sent a rejection note."""
    store = _cases(settings_from(config))
    rejection = Rejection[because.upper()]
    _tell(store.withdraw(store.get(case_id).case_id, actor or getpass.getuser(), reason, rejection), json=json)


def series(
    rematch: Annotated[
        str, typer.Option("--rematch", help="A series, or `all`: match again, after rules or recipes have changed.")
    ] = "",
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """The newest series that the node holds."""
    catalogue = Catalogue(ledger_of(settings_from(config)))
    if rematch:
        count = catalogue.match_again(None if rematch == "all" else rematch)
        if json:
            write_json({"rematched": count})
        else:
            out.print(f"{count} complete series will be matched again by the running node", highlight=False)
        return
    records = catalogue.list_series(limit)
    if json:
        write_json({"series": [series_values(record) for record in records]})
        return
    uid = Column("series", overflow="fold")  # to be copied whole
    table = Table(uid, "modality", "description", "instances", "state", "from", "last received", "why")
    for record in records:
        table.add_row(
            record.series_instance_uid,
            record.header.modality,
            record.header.description,
            str(record.instance_count),
            "quarantined" if record.held_for else record.state.value,
            record.source_ae_title,
            f"{record.last_received_at:%Y-%m-%d %H:%M:%S}",
            "; ".join(record.held_for or record.evidence),
        )
    out.print(table)


def case_values(record: CaseRecord, deliveries: tuple[Delivery, ...]) -> dict[str, Any]:
    """A case as plain values for JSON."""
    return {
        "case_id": record.case_id,
        "state": record.state.value,
        "rule": record.plan.rule,
        "recipe": record.plan.recipe.name,
        "file_in_study_uid": record.plan.file_in_study_uid,
        "fixed": choice_values(record.plan.fixed),
        "moving": [choice_values(choice) for choice in record.plan.moving],
        "reasons": list(record.plan.reasons),
        "attempts": record.attempts,
        "error": record.error,
        "replaced_by": record.replaced_by or None,
        "verdict": record.result.verdict if record.result else None,
        "reports": [dict(report) for report in _reports(record)],
        "derived": [derived_values(derived) for derived in record.result.derived] if record.result else [],
        "deliveries": [delivery_values(delivery) for delivery in deliveries],
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
    }


def choice_values(choice: SeriesChoice) -> dict[str, Any]:
    """One chosen series as plain values."""
    return {
        "series_instance_uid": choice.series_instance_uid,
        "study_instance_uid": choice.study_instance_uid,
        "modality": choice.modality,
        "description": choice.description,
        "instances": len(choice.sop_instance_uids),
        "reasons": list(choice.reasons),
    }


def derived_values(derived: DerivedSeries) -> dict[str, Any]:
    """One derived series as plain values."""
    return {
        "kind": derived.kind,
        "series_instance_uid": derived.series_instance_uid,
        "study_instance_uid": derived.study_instance_uid,
        "modality": derived.modality,
        "description": derived.description,
        "instances": len(derived.instances),
    }


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """One delivery as plain values."""
    return {
        "destination": delivery.destination,
        "kind": delivery.series.kind,
        "series_instance_uid": delivery.series.series_instance_uid,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at.isoformat() if delivery.next_attempt_at else None,
        "last_error": delivery.last_error,
        "refused": dict(delivery.refused),
    }


def event_values(event: CaseEvent) -> dict[str, Any]:
    """One transition as plain values."""
    return {
        "at": event.at.isoformat(),
        "from": event.from_state.value if event.from_state else None,
        "to": event.to_state.value,
        "cause": event.cause,
        "actor": event.actor,
    }


def series_values(record: SeriesRecord) -> dict[str, Any]:
    """One received series as plain values."""
    return {
        "series_instance_uid": record.series_instance_uid,
        "study_instance_uid": record.study.study_instance_uid,
        "modality": record.header.modality,
        "description": record.header.description,
        "instances": record.instance_count,
        "state": record.state.value,
        "source_ae_title": record.source_ae_title,
        "own_output": record.header.own_output,
        "first_received_at": record.first_received_at.isoformat(),
        "last_received_at": record.last_received_at.isoformat(),
        "evidence": list(record.evidence),
        "contradictions": list(record.contradictions),
        "quarantined": list(record.held_for),
        "corrected": record.corrected,
    }


def delivery_summary(deliveries: Sequence[Delivery]) -> str:
    """How far the deliveries are, with the trouble if there is one."""
    if not deliveries:
        return ""
    arrived = sum(delivery.state in (DeliveryState.DONE, DeliveryState.COMMITTED) for delivery in deliveries)
    trouble = next((_delivery_sentence(delivery) for delivery in deliveries if delivery.last_error), "")
    return f"{arrived}/{len(deliveries)} {trouble}".strip()


def _delivery_sentence(delivery: Delivery) -> str:
    sentence = f"{delivery.series.kind} to {delivery.destination}: {delivery.state.value}"
    if delivery.attempts > 1 or delivery.last_error:
        sentence += f" after {delivery.attempts} attempts"
    if delivery.refused:
        sentence += f"; {len(delivery.refused)} instances refused ({', '.join(sorted(set(delivery.refused.values())))})"
    if delivery.last_error:
        sentence += f"; {delivery.last_error}"
    if delivery.next_attempt_at and delivery.state is DeliveryState.PENDING:
        sentence += f"; next attempt {delivery.next_attempt_at:%H:%M:%S} UTC"
    return sentence


def _choices(record: CaseRecord) -> list[tuple[str, SeriesChoice]]:
    return [("fixed", record.plan.fixed), *(("moving", choice) for choice in record.plan.moving)]


def _reports(record: CaseRecord) -> tuple[Mapping[str, Any], ...]:
    return record.result.reports if record.result else ()


def _sentences(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        out.print(f"  · {sentence}", highlight=False, markup=False)


def _millimetres(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _cases(settings: Settings) -> Cases:
    return Cases(ledger_of(settings))


def _tell(record: CaseRecord, *, json: bool) -> None:
    if json:
        write_json({"case_id": record.case_id, "state": record.state.value})
    else:
        out.print(f"{record.case_id} is now {record.state.value}", highlight=False)
