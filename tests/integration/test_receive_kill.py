"""kill -9 of the receiver, and of the sender, at any moment: what was acknowledged is there, and whole."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from storage.catalogue import Catalogue
from storage.objects import ObjectStore
from storage.session import Database
from tests.fixtures.dicom_peer import Encoded, Receiver, associated, receiver_settings, sample, send, store

pytestmark = pytest.mark.slow


class ReceiverProcess:
    """A receiver that can be killed."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fixtures.receiver_process", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[[], ReceiverProcess]]:
    started: list[ReceiverProcess] = []

    def start() -> ReceiverProcess:
        started.append(ReceiverProcess(tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def send_until_killed(port: int, instances: list[Encoded], acknowledged: list[Encoded]) -> None:
    with associated(port, instances[:1]) as association:
        for instance in instances:
            if not association.is_established:
                return
            answer = store(association, instance)
            if answer.get("Status") != 0:
                return
            acknowledged.append(instance)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_acknowledged_is_missing_after_kill_9(
    start_process: Callable[[], ReceiverProcess], tmp_path: Path, seed: int
) -> None:
    process = start_process()
    batches = [[sample(rows=64, columns=64) for _ in range(60)] for _ in range(2)]
    acknowledged: list[Encoded] = []
    senders = [
        threading.Thread(target=send_until_killed, args=(process.port, batch, acknowledged)) for batch in batches
    ]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(random.Random(seed).uniform(0, 0.5))
    process.kill()
    for sender in senders:
        sender.join(60)
    assert len(acknowledged) >= 3

    database = Database(receiver_settings(tmp_path).database_url)
    catalogue, objects = Catalogue(database), ObjectStore(tmp_path / "objects")
    visible = {
        instance.sop_instance_uid: instance
        for series in catalogue.list_series(limit=1000)
        for instance in catalogue.instances(series.series_instance_uid)
    }
    assert {instance.sop_instance_uid for instance in acknowledged} <= visible.keys()
    for uid, record in visible.items():
        assert objects.verify(record.stored.digest)
        assert pydicom.dcmread(BytesIO(objects.read(record.stored.digest))).SOPInstanceUID == uid
    for digest in objects.digests():
        assert objects.verify(digest)
    for instance in acknowledged:
        assert objects.read(visible[instance.sop_instance_uid].stored.digest).endswith(instance.dataset)
    database.dispose()

    again = start_process()
    assert set(send(again.port, *batches[0][:10])) == {0}


def test_a_sender_that_is_killed_leaves_what_was_acknowledged_and_nothing_half_written(
    receiver: Receiver, tmp_path: Path
) -> None:
    script = (
        "import sys\n"
        "from tests.fixtures.dicom_peer import associated, sample, store\n"
        "instances = [sample(rows=128, columns=128) for _ in range(200)]\n"
        "with associated(int(sys.argv[1]), instances[:1]) as association:\n"
        "    for instance in instances:\n"
        "        assert store(association, instance).Status == 0\n"
        "        print(instance.sop_instance_uid, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(receiver.port)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(4)]
    process.kill()
    process.wait(10)
    process.stdout.close()
    deadline = time.monotonic() + 15
    while receiver.server.busy and time.monotonic() < deadline:
        time.sleep(0.05)
    visible = receiver.instances()
    assert set(acknowledged) <= visible.keys()
    for record in visible.values():
        assert receiver.objects.verify(record.stored.digest)
    assert len(visible) == len(list(receiver.objects.digests())) < 200
