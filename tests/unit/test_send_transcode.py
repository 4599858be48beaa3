"""Which transfer syntaxes a file may travel in, and how long the sender waits."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from dicomnode.errors import EncodeError, SettingsError
from dicomnode.send.patience import growing
from dicomnode.send.transcode import COMPRESSIONS, FALLBACKS, known_transfer_syntax, possible_syntaxes, write_as
from tests.fixtures.slices import write_slice

syntaxes = st.sampled_from(AllTransferSyntaxes)


@given(syntaxes)
def test_own_syntax_is_first_and_the_fallbacks_follow(own: UID) -> None:
    possible = possible_syntaxes(own)
    assert possible[0] == own
    assert len(set(possible)) == len(possible)
    if own != ExplicitVRBigEndian:
        assert set(possible) == {own, *FALLBACKS}


@given(syntaxes, st.lists(syntaxes))
def test_what_the_peer_wants_is_order_and_limit(own: UID, wanted: list[UID]) -> None:
    possible = possible_syntaxes(own, wanted)
    if wanted:
        assert set(possible) <= {own, *FALLBACKS, *COMPRESSIONS} & set(wanted)
        assert list(possible) == sorted(possible, key=wanted.index)
        assert (own in possible) == (own in wanted)


def test_big_endian_is_never_converted() -> None:
    assert possible_syntaxes(ExplicitVRBigEndian) == (ExplicitVRBigEndian,)
    assert possible_syntaxes(ExplicitVRBigEndian, [ImplicitVRLittleEndian]) == ()


@pytest.mark.parametrize("name", ["JPEGLSLossless", "1.2.840.10008.1.2.4.80"])
def test_a_transfer_syntax_has_two_names(name: str) -> None:
    assert known_transfer_syntax(name) == JPEGLSLossless


@pytest.mark.parametrize("name", ["JPEG-LS", "1.2.840.10008.5.1.4.1.1.2", ""])
def test_what_is_no_transfer_syntax_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=repr(name)):
        known_transfer_syntax(name)


@pytest.mark.parametrize("own", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("target", [*FALLBACKS, *COMPRESSIONS])
def test_a_copy_in_another_syntax_says_the_same(tmp_path: Path, own: UID, target: UID) -> None:
    original, copy = write_slice(tmp_path, own), tmp_path / "copy.dcm"
    write_as(original, target, copy)
    before, after = dcmread(original), dcmread(copy)
    assert after.file_meta.TransferSyntaxUID == target
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID
    assert after.PatientName == before.PatientName
    assert np.array_equal(before.pixel_array, after.pixel_array)


def test_what_nothing_decodes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="Explicit VR Little Endian"):
        write_as(write_slice(tmp_path, JPEGBaseline8Bit), ExplicitVRLittleEndian, tmp_path / "copy.dcm")


@given(first_s=st.floats(0.1, 1000), longest_s=st.floats(0.1, 1e5), failures=st.integers(0, 10_000))
def test_waiting_grows_and_has_an_end(first_s: float, longest_s: float, failures: int) -> None:
    wait, next_wait = growing(first_s, failures, longest_s), growing(first_s, failures + 1, longest_s)
    assert timedelta(seconds=first_s) <= wait <= next_wait <= timedelta(seconds=max(first_s, longest_s))
