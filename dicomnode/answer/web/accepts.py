"""What a request accepts: media types with their transfer syntaxes (PS3.18 8.7.3 to 8.7.5)."""

import re
from dataclasses import dataclass

from fastapi import Request

ANYTHING = ("*/*", "")
PARAMETER = re.compile(r'([\w-]+)\s*=\s*("[^"]*"|[^;,\s]+)')
RANGE = re.compile(r'(?:[^,"]|"[^"]*")+')


@dataclass(frozen=True, slots=True)
class Range:
    """One of them; of multipart/related what its parts are."""

    media_type: str
    multipart: bool
    transfer_syntax: str

    def fits(self, media_type: str) -> bool:
        """Whether that type is in the range."""
        group = media_type.partition("/")[0]
        return self.media_type in (media_type, f"{group}/*", *ANYTHING)


@dataclass(frozen=True, slots=True)
class Accepts:
    """All of them."""

    ranges: tuple[Range, ...]

    @classmethod
    def of(cls, request: Request) -> "Accepts":
        """The parameter `accept` goes before the header; nothing said accepts anything."""
        said = request.query_params.get("accept") or request.headers.get("accept") or "*/*"
        return cls(tuple(_range(part.strip()) for part in RANGE.findall(said) if part.strip()))

    def takes(self, media_type: str) -> bool:
        """Whether that type can be answered."""
        return any(one.fits(media_type) for one in self.ranges)

    def takes_multipart(self, media_type: str) -> bool:
        """Whether it can be answered in parts."""
        return any(one.fits(media_type) and (one.multipart or one.media_type == "*/*") for one in self.ranges)

    def syntax_of(self, media_type: str) -> str:
        """The transfer syntax that is asked for, or ""; `*` is any."""
        found = [one for one in self.ranges if one.fits(media_type)]
        exact = [one.transfer_syntax for one in found if one.media_type == media_type]
        return next((syntax for syntax in exact if syntax), "")


def _range(text: str) -> Range:
    media_type, _, rest = text.partition(";")
    parameters = {name.lower(): value.strip('"') for name, value in PARAMETER.findall(rest)}
    multipart = media_type.strip().lower() == "multipart/related"
    kind = parameters.get("type", "*/*") if multipart else media_type.strip()
    return Range(kind.lower(), multipart, parameters.get("transfer-syntax", ""))
