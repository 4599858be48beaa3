"""What the node has to account for, said once and handed to the file and the syslog server of the settings."""

import os
import threading
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element

from storage.records import InstanceRecord

from ..settings import AuditSettings, NodeSettings, Settings, TlsSettings
from . import audit_message as xml
from .audit_chain import ChainedFile
from .audit_message import Participant, Transfer
from .audit_outlet import Outlet
from .audit_syslog import Syslog


class AuditTrail:
    """Callable from every thread, and never waits. Says nothing where the settings name no place for it."""

    def __init__(self, settings: Settings) -> None:
        """Raises `SettingsError` when the file or the server of the settings cannot be used."""
        self._own = settings.node.ae_title
        self._source = settings.audit.source_id or settings.node.ae_title
        self._kept: dict[int, Counter[tuple[str, str, str]]] = {}
        self._outlets: list[Outlet] = []
        self._sinks: list[ChainedFile | Syslog] = []
        audit, tls = settings.audit, settings.tls
        if audit.syslog:
            self._sinks.append(Syslog(audit.syslog, audit.syslog_ca or tls.ca, tls.certificate, tls.key))
        if audit.file:
            self._sinks.append(ChainedFile(Path(audit.file)))
        for sink in self._sinks:
            self._outlets.append(Outlet("file" if isinstance(sink, ChainedFile) else "syslog", sink, audit.queue))

    @classmethod
    def silent(cls) -> "AuditTrail":
        """One that says nothing."""
        return cls(Settings.model_construct(node=NodeSettings(), tls=TlsSettings(), audit=AuditSettings()))

    def started(self) -> None:
        """The node listens (PS3.15 A.5.3.1)."""
        self._activity(xml.APPLICATION_START)

    def stopped(self) -> None:
        """The node has stopped; nothing is said any more."""
        self._activity(xml.APPLICATION_STOP)
        outlets, self._outlets = self._outlets, []
        for outlet in outlets:
            outlet.stop()
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            sink.close()

    def refused(self, calling_ae_title: str, address: str, reason: str) -> None:
        """A connection or an association was refused (PS3.15 A.5.3.11)."""
        if not self._outlets:
            return
        us = Participant(self._own, xml.APPLICATION, is_requestor=False)
        them = Participant(calling_ae_title or address, xml.SOURCE, is_requestor=True, address=address)
        alert = xml.message(
            xml.SECURITY_ALERT,
            "E",
            (us, them),
            self._source,
            event_type=xml.NODE_AUTHENTICATION,
            outcome=xml.MINOR_FAILURE,
            description=reason,
        )
        xml.add_node(alert, calling_ae_title or address, reason)
        self._say(alert)

    def kept(self, record: InstanceRecord) -> None:
        """An instance came, on the association that this thread serves."""
        if not self._outlets:
            return
        seen = self._kept.setdefault(threading.get_ident(), Counter())
        seen[record.study.study_instance_uid, record.patient.patient_id, record.sop_class_uid] += 1

    def association_over(self, calling_ae_title: str, address: str, thread: int | None = None) -> None:
        """Tell what `thread` (this one) has kept since it was last asked (PS3.15 A.5.3.7)."""
        seen = self._kept.pop(threading.get_ident() if thread is None else thread, None)
        if not seen:
            return
        them = Participant(calling_ae_title, xml.SOURCE, is_requestor=True, address=address)
        us = Participant(self._own, xml.DESTINATION, is_requestor=False)
        for study, patient in dict.fromkeys(key[:2] for key in seen):
            instances = {key[2]: count for key, count in seen.items() if key[:2] == (study, patient)}
            told = xml.message(xml.INSTANCES_TRANSFERRED, "C", (them, us), self._source)
            xml.add_transfer(told, Transfer(study, patient, instances))
            self._say(told)

    def sending(self, called_ae_title: str, address: str, transfer: Transfer) -> None:
        """Instances are about to go to a peer (PS3.15 A.5.3.3)."""
        self._outgoing(xml.BEGIN_TRANSFERRING, "E", called_ae_title, address, transfer)

    def sent(self, called_ae_title: str, address: str, transfer: Transfer) -> None:
        """They have gone."""
        self._outgoing(xml.INSTANCES_TRANSFERRED, "R", called_ae_title, address, transfer)

    def queried(self, called_ae_title: str, address: str, sop_class_uid: str, query: bytes) -> None:
        """The node asked a peer (PS3.15 A.5.3.10)."""
        if not self._outlets:
            return
        us = Participant(self._own, xml.SOURCE, is_requestor=True)
        them = Participant(called_ae_title, xml.DESTINATION, is_requestor=False, address=address)
        told = xml.message(xml.QUERY, "E", (us, them), self._source)
        xml.add_query(told, sop_class_uid, query)
        self._say(told)

    def removed(self, transfer: Transfer, reason: str) -> None:
        """Instances were removed from the node's disk (PS3.15 A.5.3.8)."""
        if not self._outlets:
            return
        us = Participant(self._own, xml.APPLICATION, is_requestor=True)
        told = xml.message(xml.STUDY_DELETED, "D", (us,), self._source, description=reason)
        xml.add_transfer(told, transfer)
        self._say(told)

    def login(self, user: str, address: str, *, success: bool) -> None:
        """Somebody logged in, or tried to (PS3.15 A.5.3.12)."""
        outcome = xml.SUCCESS if success else xml.MINOR_FAILURE
        self._person(xml.USER_AUTHENTICATION, "E", user, address, event_type=xml.LOGIN, outcome=outcome)

    def logout(self, user: str, address: str) -> None:
        """Somebody logged out."""
        self._person(xml.USER_AUTHENTICATION, "E", user, address, event_type=xml.LOGOUT)

    def acted(self, user: str, address: str, what: str, transfer: Transfer | None = None, action: str = "U") -> None:
        """A person read (`action` R), changed (U) or decided (E) something: `what`, about these objects if any.

        With objects it is an access to them (PS3.15 A.5.3.2), without a use of the node's restricted functions.
        """
        if transfer is None:
            self._person(
                xml.SECURITY_ALERT, action, user, address, event_type=xml.RESTRICTED_FUNCTION, description=what
            )
        else:
            self._person(xml.INSTANCES_ACCESSED, action, user, address, description=what, transfer=transfer)

    def _person(
        self,
        event: xml.Code,
        action: str,
        user: str,
        address: str,
        *,
        event_type: xml.Code | None = None,
        outcome: str = xml.SUCCESS,
        description: str = "",
        transfer: Transfer | None = None,
    ) -> None:
        if not self._outlets:
            return
        them = Participant(user, xml.USER, is_requestor=True, address=address)
        us = Participant(self._own, xml.APPLICATION, is_requestor=False)
        told = xml.message(
            event, action, (them, us), self._source, event_type=event_type, outcome=outcome, description=description
        )
        if transfer is not None:
            xml.add_transfer(told, transfer)
        self._say(told)

    def _outgoing(self, event: xml.Code, action: str, title: str, address: str, transfer: Transfer) -> None:
        if not self._outlets:
            return
        us = Participant(self._own, xml.SOURCE, is_requestor=True)
        them = Participant(title, xml.DESTINATION, is_requestor=False, address=address)
        told = xml.message(event, action, (us, them), self._source)
        xml.add_transfer(told, transfer)
        self._say(told)

    def _activity(self, kind: xml.Code) -> None:
        us = Participant(f"{self._own} {os.getpid()}", xml.APPLICATION, is_requestor=False)
        self._say(xml.message(xml.APPLICATION_ACTIVITY, "E", (us,), self._source, event_type=kind))

    def _say(self, root: Element) -> None:
        said = xml.xml_of(root)
        for outlet in self._outlets:
            outlet.put(said)
