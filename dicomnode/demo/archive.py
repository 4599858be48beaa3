"""A small DICOM archive of its own process, the PACS of the demonstration where no Orthanc is installed.

Stores what it is sent as files in a folder and gives series back by C-GET. `python -m dicomnode.demo.archive`.
"""

import argparse
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet, Verification

AE_TITLE = "DEMOPACS"

SUCCESS, PENDING, IDENTIFIER_DOES_NOT_MATCH = 0x0000, 0xFF00, 0xA900


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    entity = AE(ae_title=AE_TITLE)
    entity.add_supported_context(Verification)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    for context in StoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    handlers = [(evt.EVT_C_STORE, _store, [options.folder]), (evt.EVT_C_GET, _get, [options.folder])]
    server = entity.start_server(("127.0.0.1", options.port), block=False, evt_handlers=handlers)
    stop.wait()
    server.shutdown()


def _store(event: Any, folder: Path) -> int:
    final = folder / f"{event.request.AffectedSOPInstanceUID}.dcm"
    partial = final.with_suffix(".part")
    partial.write_bytes(event.encoded_dataset())
    partial.replace(final)
    return SUCCESS


def _get(event: Any, folder: Path) -> Iterator[tuple[int, Dataset | None] | int]:
    wanted = event.identifier.get("SeriesInstanceUID")
    if not wanted:
        yield 0
        yield IDENTIFIER_DOES_NOT_MATCH, None
        return
    found = [path for path in sorted(folder.glob("*.dcm")) if _series_of(path) == wanted]
    yield len(found)
    for path in found:
        yield PENDING, dcmread(path)


def _series_of(path: Path) -> str:
    return str(dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True).SeriesInstanceUID)


if __name__ == "__main__":
    main()
