"""The node's receiver alone, as a process of the ingest benchmark: run with a folder; it prints its port."""

import sys
import threading
from pathlib import Path

from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.session import Database

from ..observe import configure_logs
from ..server import Server
from ..settings import Settings
from .ingest_client import CALLING


def main(folder: Path) -> None:
    """Receive until killed."""
    configure_logs("warning", json_lines=True)
    settings = Settings.model_validate(
        {
            "node": {"ae_title": "NODE", "port": 0, "max_pdu_bytes": 131072, "max_associations": 300},
            "storage": {"path": folder, "reserve_bytes": 0},
            "peers": {"benchmark": {"ae_title": CALLING}},
        }
    )
    database = Database(settings.database_url)
    upgrade(database)
    server = Server(settings, ObjectStore(folder / "objects"), Catalogue(database), Outbox(database))
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
