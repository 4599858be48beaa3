"""The receivers of the ingest benchmark, each a process: how it is started, and what its Success promises."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import SettingsError

START_S = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
FAST_SOCKETS = {"TCP_NODELAY": "1"}
"""DCMTK's own switch."""


@dataclass(frozen=True, slots=True)
class Running:
    """One receiver that listens."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """User and system time of the process and of the children that ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S

    def peak_mb(self) -> float:
        """Largest resident memory of the process itself so far."""
        return self._status_mb("VmHWM")

    def memory_mb(self) -> float:
        """Memory of the process itself that is no file."""
        return self._status_mb("RssAnon")

    def _status_mb(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        return 0.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """`command` makes the words of a folder and a port; a `program` prints its own port and needs none."""

    title: str
    durable: str
    called: str
    command: Callable[[Path, int], list[str]]
    program: str = ""


def _module(name: str) -> Callable[[Path, int], list[str]]:
    return lambda folder, _: [sys.executable, "-m", f"dicomnode.benchmark.{name}", str(folder)]


def _storescp(folder: Path, port: int) -> list[str]:
    return ["storescp", "--fork", "--max-pdu", "131072", "-od", str(folder), str(port)]


def _orthanc(folder: Path, port: int) -> list[str]:
    options = {
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpServerEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "MaximumPduLength": 131072,
        "DicomThreadsCount": 8,
        "TcpNoDelay": True,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(options), encoding="utf-8")
    return ["Orthanc", str(folder / "orthanc.json")]


RECEIVERS: Mapping[str, Receiver] = MappingProxyType(
    {
        "ours": Receiver("this node", "file, directory entry and index row", "NODE", _module("ingest_node")),
        "storescp": Receiver("storescp --fork, nodelay, 128 k", "nothing", "ANY", _storescp, "storescp"),
        "orthanc": Receiver(
            "Orthanc, nodelay, 8 threads, 128 k", "file; not the index", "ORTHANC", _orthanc, "Orthanc"
        ),
        "pynetdicom": Receiver("pynetdicom, plain handler, 128 k", "nothing", "PLAIN", _module("ingest_plain")),
    }
)


@contextmanager
def running(name: str, folder: Path) -> Iterator[Running]:
    """Start the receiver in an empty folder and end it after. Raises `SettingsError` when it is not installed."""
    process, port = started(name, folder)
    try:
        yield Running(process.pid, port)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def started(name: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the receiver over `folder`, the head of a process group; its port. Raises `SettingsError` likewise."""
    receiver = RECEIVERS[name]
    if receiver.program and shutil.which(receiver.program) is None:
        raise SettingsError(f"{receiver.program} is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    process = subprocess.Popen(
        receiver.command(folder, port),
        stdout=subprocess.DEVNULL if receiver.program else subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **FAST_SOCKETS},
        start_new_session=True,
    )
    try:
        if process.stdout is not None:
            port = int(process.stdout.readline())
        _wait_for(port)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process, port


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SettingsError(f"nothing listens on port {port} after {START_S:g} s")
