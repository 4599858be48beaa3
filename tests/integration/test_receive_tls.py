"""DICOM over TLS on real sockets: who shows what it must comes in, everybody else stays out."""

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicomnode.errors import PeerError, SettingsError
from dicomnode.network.echo import echo
from dicomnode.network.tls import TlsFiles, client_context
from dicomnode.observe.metrics import REFUSALS
from dicomnode.send.storage_scu import send_files
from dicomnode.settings import PeerSettings
from tests.fixtures.certificates import Authority, Certificate
from tests.fixtures.dcmtk import run_dcmtk
from tests.fixtures.dicom_peer import (
    EXPLICIT,
    NODE,
    WORKSTATION,
    Encoded,
    Receiver,
    sample,
    sample_dataset,
    store,
    with_pixels,
)

Start = Callable[..., Receiver]


def tls_section(own: Certificate, authority: Authority, **changes: Any) -> dict[str, Any]:
    files = {"certificate": str(own.certificate), "key": str(own.key), "ca": str(authority.certificate)}
    return files | changes


@pytest.fixture
def encrypted(start_receiver: Start, own: Certificate, authority: Authority) -> Receiver:
    """A node that listens with TLS only."""
    return start_receiver(node={"plain": False, "tls": True, "tls_port": 0}, tls=tls_section(own, authority))


def peer(receiver: Receiver, shown: Certificate | None, believed: Authority, **changes: Any) -> PeerSettings:
    """The node as the workstation has it in its settings."""
    values: dict[str, Any] = {"ae_title": NODE, "port": receiver.server.tls_port, "tls": True}
    values["tls_ca"] = str(believed.certificate)
    if shown is not None:
        values |= {"tls_certificate": str(shown.certificate), "tls_key": str(shown.key)}
    return PeerSettings(**values | changes)


@contextmanager
def associated(receiver: Receiver, shown: Certificate, believed: Authority, instance: Encoded) -> Iterator[Any]:
    files = TlsFiles(str(shown.certificate), str(shown.key), str(believed.certificate))
    entity = AE(WORKSTATION)
    association = entity.associate(
        "127.0.0.1",
        receiver.server.tls_port,
        contexts=[build_context(instance.sop_class_uid, [instance.transfer_syntax_uid])],
        ae_title=NODE,
        tls_args=(client_context(files, check_host=True), "127.0.0.1"),
    )
    yield association
    if association.is_established:
        association.release()


def refusals(reason: str) -> float:
    return float(REFUSALS.labels(reason)._value.get())


def file_of(folder: Path, instance: Dataset) -> Path:
    path = folder / "instance.dcm"
    instance.ensure_file_meta()
    instance.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    instance.save_as(path, enforce_file_format=True)
    return path


def test_echo_and_store_with_certificates_on_both_sides(
    encrypted: Receiver, authority: Authority, workstations: Certificate, tmp_path: Path
) -> None:
    node = peer(encrypted, workstations, authority)
    assert echo(node, WORKSTATION) > 0
    instance = with_pixels(sample_dataset(rows=512, columns=512))
    assert send_files(node, WORKSTATION, [file_of(tmp_path, instance)]).stored == 1
    with associated(encrypted, workstations, authority, sample()) as association:
        for one in (sample(), sample()):
            assert store(association, one).Status == 0
    assert len(encrypted.instances()) == 3


def test_both_ports_and_a_limit_for_both(
    start_receiver: Start, own: Certificate, authority: Authority, workstations: Certificate
) -> None:
    sections = {"node": {"tls": True, "tls_port": 0, "max_associations": 1}, "tls": tls_section(own, authority)}
    both = start_receiver(**sections)
    assert echo(PeerSettings(ae_title=NODE, port=both.port), WORKSTATION) > 0
    with associated(both, workstations, authority, sample()) as association:
        assert association.is_established
        with pytest.raises(PeerError, match="Local limit"):
            echo(PeerSettings(ae_title=NODE, port=both.port), WORKSTATION)


@pytest.mark.parametrize("receiver_kind", ["direct", "pynetdicom"])
def test_whoever_shows_no_certificate_or_a_wrong_one_stays_out(
    start_receiver: Start, own: Certificate, authority: Authority, stranger: Authority, receiver_kind: str
) -> None:
    node = {"plain": False, "tls": True, "tls_port": 0, "receiver": receiver_kind}
    strict = start_receiver(node=node, tls=tls_section(own, authority))
    before = refusals("handshake")
    wrong = [None, stranger.sign("workstation"), authority.sign("workstation", days=-1)]
    for shown in wrong:
        with pytest.raises(PeerError):
            echo(peer(strict, shown, authority), WORKSTATION)
    for _ in range(600):  # a client hears of it before it is counted
        if refusals("handshake") >= before + len(wrong):
            break
        threading.Event().wait(0.05)
    assert refusals("handshake") >= before + len(wrong)
    assert echo(peer(strict, authority.sign("workstation"), authority), WORKSTATION) > 0


def test_the_node_believes_no_wrong_server(
    encrypted: Receiver, authority: Authority, stranger: Authority, workstations: Certificate
) -> None:
    with pytest.raises(PeerError):
        echo(peer(encrypted, workstations, stranger), WORKSTATION)
    elsewhere = peer(encrypted, workstations, authority, host="127.0.0.2")
    with pytest.raises(PeerError):  # the certificate is made out to 127.0.0.1
        echo(elsewhere, WORKSTATION)


def test_without_the_demand_a_client_needs_no_certificate(
    start_receiver: Start, own: Certificate, authority: Authority
) -> None:
    lax = start_receiver(
        node={"plain": False, "tls": True, "tls_port": 0},
        tls=tls_section(own, authority, require_client_certificate=False),
    )
    assert echo(peer(lax, None, authority), WORKSTATION) > 0


def test_old_versions_weak_ciphers_and_plain_text_get_nothing(
    encrypted: Receiver, authority: Authority, workstations: Certificate
) -> None:
    before = refusals("handshake")
    for limit in ("version", "cipher"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority.certificate)
        context.load_cert_chain(workstations.certificate, workstations.key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-GCM-SHA256:@SECLEVEL=0" if limit == "cipher" else "ALL:@SECLEVEL=0")
        if limit == "version":
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", encrypted.server.tls_port), timeout=20) as connection,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(connection, server_hostname="127.0.0.1", do_handshake_on_connect=True)
    with pytest.raises(PeerError):
        echo(PeerSettings(ae_title=NODE, port=encrypted.server.tls_port), WORKSTATION)
    for _ in range(600):
        if refusals("handshake") >= before + 3:
            break
        threading.Event().wait(0.05)
    assert refusals("handshake") >= before + 3
    assert echo(peer(encrypted, workstations, authority), WORKSTATION) > 0


def test_who_never_shakes_hands_keeps_nobody_out(
    start_receiver: Start, own: Certificate, authority: Authority, workstations: Certificate
) -> None:
    node = {"plain": False, "tls": True, "tls_port": 0, "acse_timeout_s": 2}
    patient = start_receiver(node=node, tls=tls_section(own, authority))
    silent = [socket.create_connection(("127.0.0.1", patient.server.tls_port), timeout=60) for _ in range(20)]
    try:
        assert echo(peer(patient, workstations, authority), WORKSTATION) > 0
        assert all(connection.recv(100) == b"" for connection in silent)
    finally:
        for connection in silent:
            connection.close()


def test_renewed_certificates_are_used_without_a_restart(
    start_receiver: Start, own: Certificate, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    files = Certificate(tmp_path / "own.pem", tmp_path / "own.key")
    shutil.copy(own.certificate, files.certificate)
    shutil.copy(own.key, files.key)
    believed = tmp_path / "ca.pem"
    shutil.copy(authority.certificate, believed)
    section = tls_section(files, authority, ca=str(believed))
    node = start_receiver(node={"tls": True, "tls_port": 0}, tls=section)
    old, new = authority.sign("workstation"), stranger.sign("workstation")
    assert echo(peer(node, old, authority), WORKSTATION) > 0
    believed.write_text("half of a", encoding="ascii")
    assert echo(peer(node, old, authority), WORKSTATION) > 0  # what cannot be used is not used
    renewed = stranger.sign("renewed")
    shutil.copy(stranger.certificate, believed)
    shutil.copy(renewed.certificate, files.certificate)
    shutil.copy(renewed.key, files.key)
    assert echo(peer(node, new, stranger), WORKSTATION) > 0
    with pytest.raises(PeerError):
        echo(peer(node, old, stranger), WORKSTATION)


def test_a_certificate_that_cannot_be_used_stops_the_start(
    start_receiver: Start, own: Certificate, authority: Authority, workstations: Certificate
) -> None:
    section = tls_section(own, authority, key=str(workstations.key))
    with pytest.raises(SettingsError, match="tls"):
        start_receiver(node={"tls": True, "tls_port": 0}, tls=section)


@pytest.mark.parametrize(
    ("rule", "comes_in"),
    [
        ({"certificates": ["workstation"]}, True),
        ({"certificates": ["FINGERPRINT"]}, True),
        ({"certificates": ["another"]}, False),
        ({"tls": True}, True),
        ({"certificates": ["workstation"], "addresses": ["192.0.2.0/24"]}, False),
    ],
)
def test_each_peer_has_to_show_its_own_certificate(
    start_receiver: Start,
    own: Certificate,
    authority: Authority,
    workstations: Certificate,
    rule: dict[str, Any],
    comes_in: bool,
) -> None:
    names = [name.replace("FINGERPRINT", f"SHA256:{workstations.fingerprint}") for name in rule.get("certificates", ())]
    rules = rule | ({"certificates": names} if names else {})
    node = start_receiver(
        node={"tls": True, "tls_port": 0},
        tls=tls_section(own, authority),
        peers={"workstation": {"ae_title": WORKSTATION} | rules},
    )
    if comes_in:
        assert echo(peer(node, workstations, authority), WORKSTATION) > 0
    else:
        with pytest.raises(PeerError, match="rejected"):
            echo(peer(node, workstations, authority), WORKSTATION)
    with pytest.raises(PeerError, match="rejected"):  # such a peer is never let in without TLS
        echo(PeerSettings(ae_title=NODE, port=node.port), WORKSTATION)


def test_storage_commitment_over_tls_is_served_as_without(
    encrypted: Receiver, authority: Authority, workstations: Certificate
) -> None:
    files = TlsFiles(str(workstations.certificate), str(workstations.key), str(authority.certificate))
    association = AE(WORKSTATION).associate(
        "127.0.0.1",
        encrypted.server.tls_port,
        contexts=[build_context(StorageCommitmentPushModel)],
        ae_title=NODE,
        ext_neg=[build_role(StorageCommitmentPushModel, scu_role=False, scp_role=True)],
        tls_args=(client_context(files, check_host=True), "127.0.0.1"),
    )
    assert association.is_established
    report = Dataset()
    report.TransactionUID = "1.2.3.4"
    answer, _ = association.send_n_event_report(
        report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    assert answer.Status == 0x0115  # nobody asked for it
    association.release()


@pytest.mark.pacs
def test_dcmtk_over_tls(encrypted: Receiver, authority: Authority, workstations: Certificate, tmp_path: Path) -> None:
    file = file_of(tmp_path, with_pixels(sample_dataset(rows=64, columns=64)))
    tls = ("+tls", str(workstations.key), str(workstations.certificate), "+cf", str(authority.certificate))
    to = ("-aet", WORKSTATION, "-aec", NODE, "127.0.0.1", str(encrypted.server.tls_port))
    assert run_dcmtk("echoscu", *tls, *to).returncode == 0
    stored = run_dcmtk("storescu", *tls, *to, str(file))
    assert stored.returncode == 0, stored.stdout
    assert len(encrypted.instances()) == 1
    assert run_dcmtk("echoscu", "+tla", "-ic", *to).returncode != 0
