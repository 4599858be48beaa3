"""`serve` and `work`: the running node, and one worker of it."""

import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import structlog
import typer

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.commitments import Commitments
from storage.fetches import Fetches
from storage.migrate import upgrade
from storage.notices import Notices
from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.records import CaseState
from storage.session import Database

from ..errors import SettingsError
from ..observe.audit_trail import AuditTrail
from ..observe.logs import configure_logs
from ..observe.metrics import CASES, OLDEST_REVIEW
from .fetching import file_in, status_of_taking, why_not_one_patient
from .terminal import Config, settings_from

log = structlog.get_logger(__name__)

PARENT_CHECK_S = 0.5


def serve(config: Config = None) -> None:
    """Receive, match, fuse and deliver until SIGTERM or SIGINT."""
    from ..answer.web import WebParts, WebServer
    from ..engine import LocalEngine
    from ..hl7.admission import admission_id
    from ..hl7.changes import Changes
    from ..hl7.listener import AdtListener
    from ..notify import Notifier
    from ..prefetch import Prefetcher
    from ..scheduler import Scheduler
    from ..send.outbox import Sender
    from ..server import Server

    settings = settings_from(config)
    configure_logs(settings.log.level, json_lines=settings.log.json_lines)
    settings.storage.path.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    upgrade(database)
    catalogue, cases, outbox = Catalogue(database), Cases(database), Outbox(database)
    fetches = Fetches(database)
    store = ObjectStore(
        settings.storage.path / "objects",
        settings.storage.reserve_bytes,
        sync_filesystem=settings.storage.sync_filesystem,
    )

    audit = AuditTrail(settings)
    stop = _stop_on_signals()
    engine = LocalEngine(settings.workers.count, config, on_refusal=stop.set)
    server = Server(settings, store, catalogue, outbox, audit, Commitments(database))
    live, ready = {"dicom": server.is_at_home}, {"database": catalogue.next_due_at}
    parts = (
        engine,
        Sender(settings, outbox, store, audit),
        Scheduler(settings, catalogue, cases, fetches),
        server,
        Prefetcher(
            settings,
            fetches,
            catalogue,
            cases,
            outbox,
            is_same=why_not_one_patient,
            take=partial(status_of_taking, server.take),
            unpack=file_in,
            audit=audit,
        ),
        Notifier(settings, Notices(database), cases, catalogue, outbox),
        AdtListener(settings, Changes(catalogue, partial(admission_id, catalogue, store))),
        WebServer(WebParts(settings, database, store, audit, live, ready, take=server.take)),
    )
    for state in CaseState:
        CASES.labels(state.value).set_function(partial(cases.count, state))
    OLDEST_REVIEW.set_function(partial(_waited_s, cases))
    started = []
    try:
        for part in parts:
            part.start()
            started.append(part)
        audit.started()
        log.info("the node is ready", action="node_ready", ae_title=settings.node.ae_title)
        stop.wait()
    finally:
        for part in reversed(started):
            part.stop()
        audit.stopped()
        database.dispose()
        log.info("the node has stopped", action="node_stopped")
    if engine.refused:
        raise SettingsError("the workers cannot work with these settings; what they said stands above")


def _waited_s(cases: Cases) -> float:
    oldest = cases.oldest(CaseState.REVIEW)
    return 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()


def work(
    name: Annotated[str, typer.Option("--name", help="How the ledger calls this worker.")] = "",
    parent: Annotated[int | None, typer.Option("--parent", hidden=True)] = None,
    config: Config = None,
) -> None:
    """One more worker: claims cases from the ledger and carries them out."""
    settings = settings_from(config)
    configure_logs(settings.log.level, json_lines=settings.log.json_lines)
    stop = _stop_on_signals()
    if parent is not None:  # before the imports that take seconds, for the node may die meanwhile
        _stop_with(parent, stop)

    from fusion.device import choose_device, make_deterministic

    from ..worker import Worker
    from .fusing import check_recipe

    for recipe in settings.recipes.values():
        check_recipe(recipe)
    make_deterministic()
    device = str(choose_device(settings.workers.device))
    worker_name = f"{name or 'worker'}-{os.uname().nodename}-{os.getpid()}"
    log.info("a worker is ready", action="worker_ready", worker=worker_name, device=device)
    database = Database(settings.database_url)
    store = ObjectStore(settings.storage.path / "objects", settings.storage.reserve_bytes)
    Worker(settings, Cases(database), Catalogue(database), store, worker_name, device).run(stop)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _stop_with(parent: int, stop: threading.Event) -> None:
    """End when the node that started us is gone, however it went."""

    def watch() -> None:
        while not stop.wait(PARENT_CHECK_S):
            if os.getppid() != parent:
                log.warning("the node is gone; its worker leaves the case to the lease", action="worker_orphaned")
                os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
