"""The short way into the index leaves behind what the long one does, and declines what it cannot do whole."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from storage.catalogue import Catalogue
from storage.entering import enter_all
from storage.further_slices import UnusualError, enter_further
from storage.migrate import upgrade
from storage.records import InstanceRecord, StoredObject
from storage.session import Database
from tests.fixtures.stored_records import NOON, PATIENT, digest_of, instance_record

LATER = NOON + timedelta(minutes=1)


def short(database: Database, instances: Sequence[tuple[InstanceRecord, datetime]]) -> None:
    with database.connection() as connection:
        enter_further(connection, instances)


def test_both_ways_leave_the_same_behind(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(other)
    first = [(instance_record(5, uid), NOON) for uid in ("1.2.3.4", "1.2.3.5")]
    further = [
        (instance_record(number, uid, received_at=NOON + timedelta(seconds=number)), LATER + timedelta(seconds=number))
        for number, uid in ((6, "1.2.3.5"), (7, "1.2.3.4"), (2, "1.2.3.5"), (3, "1.2.3.5"), (9, "1.2.3.4"))
    ]
    for one in (database, other):
        Catalogue(one).add_instances(first)
    short(database, further)
    with other.session() as session:
        enter_all(session, further)
    for uid in ("1.2.3.4", "1.2.3.5"):
        assert Catalogue(database).series(uid) == Catalogue(other).series(uid)
        assert Catalogue(database).instances(uid) == Catalogue(other).instances(uid)
    other.dispose()


@pytest.mark.parametrize(
    "unusual",
    [
        pytest.param([instance_record(3, "1.2.3.9")], id="new series"),
        pytest.param([instance_record(3, is_localiser=True)], id="localiser"),
        pytest.param([instance_record(3, patient=replace(PATIENT, name="Other^Name"))], id="other patient"),
        pytest.param([instance_record(1, stored=StoredObject(digest_of("x"), 1))], id="name is taken"),
        pytest.param([instance_record(3), instance_record(3)], id="twice at once"),
    ],
)
def test_what_is_out_of_the_ordinary_is_declined_whole(database: Database, unusual: list[InstanceRecord]) -> None:
    catalogue = Catalogue(database)
    catalogue.add_instance(instance_record(1), NOON)
    before = (catalogue.series("1.2.3.4"), catalogue.instances("1.2.3.4"))
    with pytest.raises(UnusualError):
        short(database, [(instance, LATER) for instance in (instance_record(2), *unusual)])
    assert (catalogue.series("1.2.3.4"), catalogue.instances("1.2.3.4")) == before
