"""The object store on a real disk: idempotent, whole or absent, and never the last byte of the disk."""

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import CorruptObjectError, StorageFullError, UnavailableError, UnknownRecordError
from storage.objects import ObjectStore
from storage.records import StoredObject


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "a" / "b" / "objects")


def incoming(store: ObjectStore) -> list[Path]:
    return list((store._root / "incoming").iterdir())


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_put_is_read_under_its_sha256(store: ObjectStore) -> None:
    data = b"\x00DICM" * 1000
    stored = store.put(data)

    assert stored == StoredObject(sha256(data).hexdigest(), len(data))
    assert store.read(stored.digest) == data
    assert store.path(stored.digest).read_bytes() == data
    assert store.verify(stored.digest)
    assert incoming(store) == []


@given(contents=st.lists(st.binary(max_size=64), max_size=8))
def test_putting_twice_is_putting_once(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    store = ObjectStore(tmp_path_factory.mktemp("objects"))
    first = [store.put(data) for data in contents]

    assert [store.put(data) for data in contents] == first
    assert list(store.digests()) == sorted({stored.digest for stored in first})
    assert [store.read(stored.digest) for stored in first] == contents


def test_a_second_store_of_the_same_folder_sees_the_same_objects(store: ObjectStore) -> None:
    stored = store.put(b"x")
    assert ObjectStore(store._root).read(stored.digest) == b"x"


@pytest.mark.parametrize("digest", ["0" * 64, "", "..", "../" * 20 + "etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_not_there_is_said_to_be_unknown(store: ObjectStore, digest: str) -> None:
    for question in (store.path, store.read, store.verify):
        with pytest.raises(UnknownRecordError):
            question(digest)


def test_damage_is_noticed_and_a_truncated_object_is_healed_by_the_next_put(store: ObjectStore) -> None:
    stored = store.put(b"healthy bytes")
    path = store.path(stored.digest)
    path.chmod(0o640)
    path.write_bytes(b"damaged bytes")
    assert not store.verify(stored.digest)
    with pytest.raises(CorruptObjectError, match=stored.digest):
        store.read(stored.digest)

    path.write_bytes(b"heal")
    store.put(b"healthy bytes")
    assert store.read(stored.digest) == b"healthy bytes"


def test_objects_are_not_writable(store: ObjectStore) -> None:
    assert store.path(store.put(b"x").digest).stat().st_mode & 0o222 == 0


def test_the_reserve_of_the_disk_is_left_alone(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path, reserve_bytes=2**62)
    with pytest.raises(StorageFullError, match="reserve"):
        store.put(b"x")
    assert list(store.digests()) == []
    assert incoming(store) == []


def test_an_object_that_is_there_needs_no_room(tmp_path: Path) -> None:
    stored = ObjectStore(tmp_path).put(b"x")
    assert ObjectStore(tmp_path, reserve_bytes=2**62).put(b"x") == stored


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFullError), (errno.EDQUOT, StorageFullError), (errno.EIO, UnavailableError)],
)
def test_a_write_that_fails_leaves_nothing(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(error):
            store.put(b"some bytes")
    assert list(store.digests()) == []
    assert incoming(store) == []
    store.put(b"some bytes")


def test_a_limit_that_the_kernel_imposes_reads_as_full(store: ObjectStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageFullError):
            store.put(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(store.digests()) == []
    assert incoming(store) == []


def test_an_unusable_folder_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnavailableError, match="object store"):
        ObjectStore(tmp_path / "file")


KILLED_AT_A_STEP = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from storage.objects import ObjectStore

    store = ObjectStore(Path(sys.argv[1]))
    steps = int(sys.argv[2])

    def counted(call):
        def step(*arguments, **options):
            global steps
            if steps == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            steps -= 1
            return call(*arguments, **options)
        return step

    for name in ("open", "fdopen", "fsync", "rename", "close", "utime"):
        setattr(os, name, counted(getattr(os, name)))
    sys.stdout.write(store.put(bytes(100_000)).digest)
    """
)


def test_a_process_killed_at_any_step_of_a_put_leaves_nothing_half_written(tmp_path: Path) -> None:
    digest = sha256(bytes(100_000)).hexdigest()
    survived = False
    for step in range(20):
        root = tmp_path / str(step)
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AT_A_STEP, str(root), str(step)], capture_output=True, text=True, timeout=60
        )
        store = ObjectStore(root)
        assert all(store.verify(name) for name in store.digests())
        if done.returncode == 0:
            survived = True
            assert done.stdout == digest
            assert list(store.digests()) == [digest]
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        # The node starts again, and the peer, which got no answer, sends again.
        assert store.put(bytes(100_000)).digest == digest
        assert store.read(digest) == bytes(100_000)
        for file in incoming(store):
            age(file, 100)
        store.sweep(lambda _digest: True, older_than_s=50)
        assert incoming(store) == []
    assert survived
    assert step >= 5, "the steps of a put are no longer seen by this test"


def test_the_bytes_and_the_name_are_on_disk_before_put_returns(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        calls.append(f"fsync {'folder' if Path(f'/proc/self/fd/{descriptor}').is_dir() else 'file'}")
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        calls.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    store.put(b"x")
    assert calls == ["fsync file", "rename", "fsync folder"]
    store.put(b"x")
    assert calls[3:] == ["fsync file", "fsync folder"]


def test_folders_that_were_made_just_before_the_store_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts the node makes the storage path first; its entry must outlive a power cut too."""
    synced: set[Path] = set()
    fsync = os.fsync

    def noted_fsync(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    (tmp_path / "new" / "storage").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    ObjectStore(tmp_path / "new" / "storage" / "objects")
    made = tmp_path / "new" / "storage" / "objects"
    assert {made, made.parent, made.parent.parent, tmp_path} <= synced


def test_a_sweep_takes_what_nothing_keeps_and_nobody_put_lately(store: ObjectStore) -> None:
    kept, orphan, fresh = (store.put(data) for data in (b"kept", b"orphan", b"fresh"))
    touched = store.put(b"touched")
    for stored in (kept, orphan, touched):
        age(store.path(stored.digest), 100)
    store.put(b"touched")  # put again: whoever did is about to enter it
    left_over = store._root / "incoming" / "left-over"
    left_over.write_bytes(b"half")
    age(left_over, 100)
    being_written = store._root / "incoming" / "being-written"
    being_written.write_bytes(b"half")

    assert store.sweep(lambda digest: digest == kept.digest, older_than_s=50) == 2
    assert set(store.digests()) == {kept.digest, fresh.digest, touched.digest}
    assert incoming(store) == [being_written]


def test_a_sweep_never_takes_what_is_being_put(store: ObjectStore) -> None:
    contents = [f"object {number}".encode() for number in range(20)]
    for data in contents:
        age(store.path(store.put(data).digest), 100)
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            store.sweep(lambda _digest: False, older_than_s=50)

    with ThreadPoolExecutor(3) as pool:
        sweeper = pool.submit(sweep)
        try:
            for stored in pool.map(store.put, contents * 2):
                assert store.read(stored.digest)
        finally:
            stop.set()
        sweeper.result()
