"""What goes with every answer, so that a browser does nothing that it was not told to."""

from collections.abc import Iterator

from starlette.types import Scope

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing written into a page. The viewer unpacks its fonts and images from data: addresses."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}


def headers_for(scope: Scope) -> Iterator[tuple[str, str]]:
    """What an answer to this request carries. What is not a static file is kept nowhere."""
    yield from HEADERS.items()
    yield "Cache-Control", "max-age=3600" if scope["path"].startswith("/static/") else "no-store"
    if scope["scheme"] == "https":
        yield "Strict-Transport-Security", "max-age=31536000"
