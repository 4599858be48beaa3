"""What peers send: whole on disk after one call for all, and remembered until its row is certain."""

import errno
import os
from pathlib import Path

import pytest

from storage.errors import StorageFullError, UnavailableError
from storage.objects import Arrival, ObjectStore


@pytest.fixture(params=[True, False], ids=["together", "one by one"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path, sync_filesystem=request.param)


def notes(store: ObjectStore) -> list[Path]:
    return list((store._root / "arrived").iterdir())


def temporary(store: ObjectStore) -> list[Path]:
    return list((store._root / "incoming").iterdir())


def test_an_arrival_is_an_object_and_is_remembered_until_it_is_settled(store: ObjectStore) -> None:
    arrival = store.arrive("CT 1/2", b"head", b"body")
    store.sync([arrival])
    digest = arrival.stored.digest
    assert store.read(digest) == b"headbody"
    assert list(store.digests()) == [digest]
    assert store.path(digest).stat().st_mode & 0o222 == 0
    (found,) = store.unsettled()
    assert (found.stored, found.origin, found.note) == (arrival.stored, "CT 1/2", arrival.note)
    store.settle([arrival])
    store.settle([arrival])
    assert store.unsettled() == ()
    assert store.read(digest) == b"headbody"
    assert temporary(store) == []


def test_the_same_bytes_twice_are_remembered_twice(store: ObjectStore) -> None:
    first, second = store.arrive("A", b"same"), store.arrive("B", b"same")
    assert (first.is_new, second.is_new) == (True, False)
    store.settle([first])
    assert [found.origin for found in store.unsettled()] == ["B"]
    kept = store.put(b"kept before")
    arrival = store.arrive("A", b"kept before")
    assert (arrival.stored, arrival.is_new) == (kept, False)
    assert len(store.unsettled()) == 2


def test_what_is_refused_is_gone_unless_somebody_else_kept_it(store: ObjectStore) -> None:
    store.refuse(store.arrive("A", b"alone"))
    assert list(store.digests()) == []
    assert notes(store) == []
    first, second = store.arrive("A", b"shared"), store.arrive("B", b"shared")
    store.refuse(second)
    assert store.read(first.stored.digest) == b"shared"
    third = store.arrive("C", b"shared")
    store.refuse(first)
    assert store.read(third.stored.digest) == b"shared"
    store.settle([third])
    assert notes(store) == []


def test_what_is_removed_is_not_remembered(store: ObjectStore) -> None:
    arrival = store.arrive("A", b"the same in another encoding")
    assert store.remove(arrival.stored.digest, store.put_at(arrival.stored.digest))
    assert store.unsettled() == ()
    assert list(store.digests()) == []
    store.settle([arrival])
    assert list(store.digests()) == []


def test_what_a_power_cut_left_of_an_arrival_is_removed(store: ObjectStore) -> None:
    """The names were on disk already, the bytes were not."""
    cut, whole = store.arrive("A", b"cut off"), store.arrive("A", b"whole")
    store.path(cut.stored.digest).chmod(0o640)
    os.truncate(cut.note, 0)
    lost = store.arrive("A", b"its place was not on disk yet")
    store.path(lost.stored.digest).unlink()
    assert {found.stored.digest for found in store.unsettled()} == {whole.stored.digest, lost.stored.digest}
    assert set(store.digests()) == {whole.stored.digest, lost.stored.digest}
    assert len(notes(store)) == 2


def test_a_full_disk_and_a_failing_one_leave_nothing(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail)
        with pytest.raises(StorageFullError):
            store.arrive("A", b"no room for its name")
    assert list(store.digests()) == []
    assert temporary(store) == notes(store) == []
    arrival = store.arrive("A", b"never on disk")
    with monkeypatch.context() as patch:
        patch.setattr(store._filesystem, "sync", lambda: fail())
        patch.setattr(os, "fsync", fail)
        with pytest.raises((StorageFullError, UnavailableError)):
            store.sync([arrival])


def test_every_name_is_on_disk_after_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(tmp_path, sync_filesystem=False)
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    arrivals = [store.arrive("A", bytes([k])) for k in range(3)]
    store.sync(arrivals)
    assert {store.path(arrival.stored.digest).parent for arrival in arrivals} | {tmp_path / "arrived"} <= set(synced)
    assert len([path for path in synced if path.parent.name == "incoming"]) == 3


def test_the_call_for_all_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(tmp_path)
    if not store._filesystem.can_sync:
        pytest.skip("this system has no syncfs")
    calls: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    monkeypatch.setattr(store._filesystem, "sync", lambda: calls.append("syncfs"))
    arrivals: list[Arrival] = [store.arrive("A", bytes([k])) for k in range(5)]
    store.sync(arrivals)
    assert calls == ["syncfs"]
    ObjectStore(tmp_path)._filesystem.sync()


def test_a_disk_that_others_keep_busy_is_synced_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(tmp_path)
    if not store._filesystem.can_sync:
        pytest.skip("this system has no syncfs")
    calls: list[str] = []
    monkeypatch.setattr(store._filesystem, "sync", lambda: calls.append("syncfs"))
    monkeypatch.setattr(os, "fsync", lambda number: calls.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    before = store.arrive("A", b"not on disk yet")
    monkeypatch.setattr("storage.objects.SLOW_S", -1.0)
    store.sync([])
    assert calls == ["syncfs"]
    by_itself = store.arrive("A", b"by itself")
    assert (before.is_synced, by_itself.is_synced) == (False, True)
    store.sync([before, by_itself])
    assert "syncfs" not in calls[1:]
    assert str(before.note) in calls
    assert str(by_itself.note) not in calls
    assert str(tmp_path / "arrived") in calls
    monkeypatch.setattr(store, "_one_by_one_until", 0.0)
    store.sync([])
    assert calls[-1] == "syncfs"
