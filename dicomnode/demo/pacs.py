"""The PACS of the demonstration: a real Orthanc where it is installed, else the archive of this package.

Both are processes of their own and are spoken to by DICOM alone.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from ..errors import PeerRefusedError, PeerUnreachableError

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
AE_TITLE = "DEMOPACS"


@dataclass(frozen=True, slots=True, eq=False)
class Pacs:
    """A running archive."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_pacs(folder: Path, port: int, http_port: int, node_port: int) -> Pacs:
    """Start the archive on `port`; it is up when it answers a C-ECHO."""
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "pacs.log").open("wb")
    if ORTHANC is None:
        command = [
            sys.executable,
            "-m",
            "dicomnode.demo.archive",
            "--port",
            str(port),
            "--folder",
            str(folder / "files"),
        ]
        return Pacs("the demonstration's own archive", port, subprocess.Popen(command, stdout=log, stderr=log))
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_orthanc(folder, port, http_port, node_port), indent=1))
    process = subprocess.Popen([ORTHANC, str(configuration)], stdout=log, stderr=log)
    return Pacs("Orthanc", port, process)


def fetch_series(
    pacs: Pacs, calling_ae_title: str, study_and_series: Sequence[tuple[str, str]]
) -> dict[str, list[Dataset]]:
    """What the PACS holds of each series, by C-GET, by Series Instance UID."""
    fetched: dict[str, list[Dataset]] = {series: [] for _, series in study_and_series}

    def keep(event: evt.Event) -> int:
        instance = event.dataset
        instance.file_meta = event.file_meta
        fetched[str(instance.SeriesInstanceUID)].append(instance)
        return 0x0000

    entity = AE(ae_title=calling_ae_title)
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    contexts = StoragePresentationContexts[:127]
    for context in contexts:
        entity.add_requested_context(context.abstract_syntax)
    roles = [build_role(context.abstract_syntax, scp_role=True) for context in contexts]
    association = entity.associate(
        "127.0.0.1", pacs.port, ae_title=AE_TITLE, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    if not association.is_established:
        raise PeerUnreachableError(f"{pacs.name} does not answer on port {pacs.port}")
    try:
        for study, series in study_and_series:
            identifier = Dataset()
            identifier.QueryRetrieveLevel = "SERIES"
            identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study, series
            statuses = [
                status.get("Status")
                for status, _ in association.send_c_get(identifier, StudyRootQueryRetrieveInformationModelGet)
            ]
            if not statuses or statuses[-1] != 0x0000:
                raise PeerRefusedError(f"{pacs.name} did not give series {series} back: {statuses[-1:]}")
    finally:
        association.release()
    return fetched


def _orthanc(folder: Path, port: int, http_port: int, node_port: int) -> dict[str, object]:
    return {
        "Name": "Demonstration",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": AE_TITLE,
        "DicomPort": port,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomCheckCalledAet": False,
        "DicomModalities": {
            "node": {"AET": "FUSIONNODE", "Host": "127.0.0.1", "Port": node_port, "AllowStorageCommitment": True}
        },
        "OverwriteInstances": False,
    }
