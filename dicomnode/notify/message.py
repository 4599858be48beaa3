"""What is said: the same for a mail and for a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.notices import Matter

HOUR_S, DAY_S = 3600, 86400


@dataclass(frozen=True, slots=True)
class Message:
    """A subject, lines for a person, and values for a program."""

    subject: str
    body: str
    values: dict[str, Any]


def compose(matters: Sequence[Matter], now: datetime, node: str, public_url: str, *, summary: bool) -> Message:
    """All of `matters` in one message; `summary` says that it is the daily one."""
    count = f"{len(matters)} {'matter waits' if len(matters) == 1 else 'matters wait'}"
    subject = f"[{node}] {count}{' (daily summary)' if summary else ''}"
    lines = [f"- for {_age(now - matter.since)}: {matter.sentence}" for matter in matters]
    if public_url:
        lines += ["", f"Look at them: {public_url.rstrip('/')}/"]
    lines += ["", "Research software; what it makes is not for diagnostic use."]
    values = {
        "node": node,
        "at": now.isoformat(),
        "summary": summary,
        "matters": [
            {
                "kind": matter.kind,
                "subject": matter.subject,
                "since": matter.since.isoformat(),
                "sentence": matter.sentence,
            }
            for matter in matters
        ],
    }
    return Message(subject, "\n".join(lines) + "\n", values)


def _age(waited: Any) -> str:
    seconds = max(waited.total_seconds(), 0)
    if seconds < HOUR_S:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.0f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.0f} days"
