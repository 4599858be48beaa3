"""The tables say what the standard says, and making an association copies nothing."""

import copy

import pytest
from pydicom.uid import UID
from pynetdicom.presentation import negotiate_as_acceptor
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import _STORAGE_CLASSES, uid_to_service_class

from dicomnode.network.contexts import SharedContexts, storage_contexts, verification_context
from dicomnode.network.sop_classes import (
    DEFLATED_SYNTAXES,
    IMAGE_CLASSES,
    REFERENCING_SYNTAXES,
    STORAGE_CLASSES,
    TRANSFER_SYNTAXES,
    VIDEO_SYNTAXES,
    NamedUid,
)

PREFIX = "1.2.840.10008.5.1.4.1.1."
NEWER_THAN_THE_DICTIONARY = {PREFIX + "66.7", PREFIX + "66.8", "1.2.840.10008.5.1.4.34.7"}
CLASS_UIDS = {storage_class.uid for storage_class in STORAGE_CLASSES}
SYNTAX_UIDS = {syntax.uid for syntax in TRANSFER_SYNTAXES}


@pytest.mark.parametrize("table", [STORAGE_CLASSES, TRANSFER_SYNTAXES])
def test_no_name_and_no_uid_comes_twice(table: tuple[NamedUid, ...]) -> None:
    assert len({entry.uid for entry in table}) == len({entry.name for entry in table}) == len(table)


@pytest.mark.parametrize("storage_class", STORAGE_CLASSES, ids=lambda entry: entry.name)
def test_names_are_those_of_the_standard_and_the_class_is_served(storage_class: NamedUid) -> None:
    if storage_class.uid not in NEWER_THAN_THE_DICTIONARY:
        assert UID(storage_class.uid).name == storage_class.name
    assert uid_to_service_class(storage_class.uid) is StorageServiceClass


@pytest.mark.parametrize("family", ["2", "4", "128", "130", "20", "7", "30", "66", "11", "88", "104", "481"])
def test_whole_families_are_taken(family: str) -> None:
    """CT, MR, PET, NM, SC, PM, REG and SEG, PR, SR, PDF, RT."""
    known = {str(uid) for uid in _STORAGE_CLASSES.values()}
    members = {uid for uid in known if uid == PREFIX + family or uid.startswith(f"{PREFIX}{family}.")}
    assert members
    assert members <= CLASS_UIDS


def test_every_transfer_syntax_of_the_standard_is_taken() -> None:
    from pynetdicom import ALL_TRANSFER_SYNTAXES

    no_files = {"1.2.840.10008.1.2.7.1", "1.2.840.10008.1.2.7.2", "1.2.840.10008.1.2.7.3"}
    assert set(ALL_TRANSFER_SYNTAXES) - no_files <= SYNTAX_UIDS
    assert all(UID(uid).is_transfer_syntax for uid in SYNTAX_UIDS)


def test_the_small_tables_are_parts_of_the_large_ones() -> None:
    assert IMAGE_CLASSES <= CLASS_UIDS
    assert DEFLATED_SYNTAXES | REFERENCING_SYNTAXES | VIDEO_SYNTAXES <= SYNTAX_UIDS
    assert len(VIDEO_SYNTAXES) == 16


def test_shared_contexts_are_not_copied_and_negotiation_does_not_change_them() -> None:
    contexts = SharedContexts([verification_context(), *storage_contexts()])
    assert copy.deepcopy(contexts) is contexts
    before = [(str(context.abstract_syntax), list(context.transfer_syntax)) for context in contexts]
    asked = copy.deepcopy(list(contexts[:100]))
    for index, context in enumerate(asked):
        context.context_id = 2 * index + 1
    results, _ = negotiate_as_acceptor(asked, contexts)
    assert {context.result for context in results} == {0}
    assert [(str(context.abstract_syntax), list(context.transfer_syntax)) for context in contexts] == before
    assert {context.result for context in contexts} == {None}
