"""A receiver as pynetdicom's documentation builds one: a handler that writes the bytes of each instance to a file."""

import sys
import threading
from pathlib import Path

from pynetdicom import AE, evt

from .ingest_slices import EXPLICIT_LITTLE_ENDIAN, KINDS


def main(folder: Path) -> None:
    """Receive until killed."""

    def keep(event: evt.Event) -> int:
        (folder / str(event.request.AffectedSOPInstanceUID)).write_bytes(event.encoded_dataset())
        return 0

    entity = AE("PLAIN")
    entity.maximum_pdu_size = 131072
    for kind in KINDS.values():
        entity.add_supported_context(kind.sop_class_uid, EXPLICIT_LITTLE_ENDIAN)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    sys.stdout.write(f"{server.socket.getsockname()[1]}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
