"""The HTTP side of the node: one FastAPI application, one router a file, one place that says who may do what.

    browser, script ──▶ web_server ─▶ app ─▶ guard (who is it, may they) ─▶ a router ─▶ storage, network, match

A router is a module with a `router = guarded(area)` (see `guard`) and its line in `ROUTERS` of `app.py`. A route that
says nothing about who may use it stops the start.
"""

from .app import make_app
from .parts import WebParts
from .web_server import WebServer

__all__ = ["WebParts", "WebServer", "make_app"]
