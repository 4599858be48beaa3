"""The environments of the peers: one each, made once in a cache folder from the pins in `peers.txt`."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from ..errors import NodeError

PINS = Path(__file__).with_name("peers.txt")
DRIVERS = Path(__file__).with_name("peers")

OWN = "sitk"
"""SimpleITK is a dependency of the node: its driver runs in the node's own environment."""

EXECUTABLES = {"greedy": "greedy"}
"""Peers that may be on PATH instead; their driver gives the executable the same arguments."""


def known_peers() -> dict[str, tuple[str, ...]]:
    """What pip installs for each peer."""
    lines = [line.split() for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {OWN: ()} | {words[0]: tuple(words[1:]) for words in lines if words}


def cache_folder() -> Path:
    """Where environments are kept unless a folder is named."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dicomnode" / "peers"


def executable_of(peer: str) -> str | None:
    """The peer's program on PATH, when it is there."""
    return shutil.which(EXECUTABLES[peer]) if peer in EXECUTABLES else None


def python_of(peer: str, folder: Path) -> Path:
    """The Python that has `peer`, made in `folder` if it is not there.

    Raises `NodeError` for an unknown peer, and with pip's last words when it cannot be installed.
    """
    peers = known_peers()
    if peer not in peers:
        raise NodeError(f"no peer is called {peer!r}; known are {', '.join(peers)}")
    if not peers[peer] or executable_of(peer):
        return Path(sys.executable)
    wanted = hashlib.sha256(repr((sys.version_info[:2], peers[peer])).encode()).hexdigest()[:12]
    place = folder / f"{peer}-{wanted}"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (place / "complete").exists():
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *peers[peer]]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            shutil.rmtree(place, ignore_errors=True)
            last = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NodeError(f"{peer} cannot be installed ({' '.join(peers[peer])}): {last}")
        (place / "complete").touch()
    return python
