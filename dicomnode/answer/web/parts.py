"""What the routes work with, handed in once and found by `Parts` in the arguments of a route."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from storage.api_keys import ApiKeys
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.holdings import Holdings
from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.people import People
from storage.session import Database
from storage.switches import Switches
from storage.web_sessions import WebSessions

from ...observe.audit_trail import AuditTrail
from ...observe.health import Check
from ...receive.outcome import Take
from ...settings import Settings
from .throttle import Throttle


@dataclass(frozen=True, slots=True)
class WebParts:
    """The memory, the settings and the checks that say whether the node is well.

    `live` are checks that only this process can fail, `ready` also those of what it needs. `closing` is set when the
    server stops, for answers that would go on for ever. Without `take` nothing can be stored over the web.
    """

    settings: Settings
    database: Database
    store: ObjectStore
    audit: AuditTrail
    live: Mapping[str, Check] = field(default_factory=dict)
    ready: Mapping[str, Check] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)
    throttle: Throttle = field(default_factory=Throttle)
    take: Take | None = None

    @property
    def catalogue(self) -> Catalogue:
        """What was received."""
        return Catalogue(self.database)

    @property
    def holdings(self) -> Holdings:
        """What viewers may see."""
        return Holdings(self.database)

    @property
    def cases(self) -> Cases:
        """What was decided."""
        return Cases(self.database)

    @property
    def outbox(self) -> Outbox:
        """What is on its way."""
        return Outbox(self.database)

    @property
    def people(self) -> People:
        """Who may log in."""
        return People(self.database)

    @property
    def sessions(self) -> WebSessions:
        """Who is logged in."""
        return WebSessions(self.database)

    @property
    def keys(self) -> ApiKeys:
        """The keys of scripts."""
        return ApiKeys(self.database)

    @property
    def switches(self) -> Switches:
        """What a person has switched."""
        return Switches(self.database)


def parts_of(request: Request) -> WebParts:
    """The parts that the application was made with."""
    parts = request.app.state.parts
    if not isinstance(parts, WebParts):
        raise TypeError("the application was made without its parts")
    return parts


Parts = Annotated[WebParts, Depends(parts_of)]
"""An argument of a route."""
