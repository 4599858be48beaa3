"""The node itself: its peers, each with a C-ECHO, and the switch that pauses it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from storage.delivery_listing import DeliveryListing
from storage.errors import UnknownRecordError
from storage.records import Role
from storage.switches import PAUSE

from ...errors import PeerError
from ...network.application_entity import Limits
from ...network.echo import echo
from .guard import Asking, guarded, needs
from .pages import page
from .parts import Parts

router = guarded("node")

Reason = Annotated[str, Form(min_length=3, max_length=500)]


@router.get("/node")
def show(request: Request, parts: Parts) -> Response:
    """Peers and the pause switch."""
    return page(request, "node.html", peers=parts.settings.peers, counts=DeliveryListing(parts.database).counts())


@router.post("/node/peers/{name}/echo", dependencies=[needs(Role.REVIEWER, "node")])
def ask(request: Request, name: str, parts: Parts, asking: Asking) -> Response:
    """C-ECHO to the peer; how it went, as a piece of the page."""
    peer = parts.settings.peers.get(name)
    if peer is None:
        raise UnknownRecordError(f"the settings name no peer {name!r}")
    node = parts.settings.node
    parts.audit.acted(asking.name, asking.address, f"C-ECHO to {name}", action="E")
    try:
        seconds = echo(peer, node.ae_title, limits=Limits.of(node))
    except PeerError as error:
        return page(request, "echo.html", seconds=None, sentence=str(error))
    return page(request, "echo.html", seconds=seconds, sentence="")


@router.post("/node/pause", dependencies=[needs(Role.ADMINISTRATOR, "node")])
def pause(reason: Reason, on: Annotated[bool, Form()], parts: Parts, asking: Asking) -> Response:
    """Pause, or go on. Cases that run are carried to their end."""
    parts.switches.set(PAUSE, asking.name, reason, is_on=on)
    parts.audit.acted(asking.name, asking.address, f"{'paused' if on else 'resumed'}: {reason}", action="E")
    return RedirectResponse("/node", status_code=HTTPStatus.SEE_OTHER)
