"""New names, UIDs and dates for old ones: the same for the same under one secret, and without it not to be undone."""

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import date, timedelta

LARGEST_SHIFT_DAYS = 3650
DIGITS_OF_A_DATE = 8


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA256 under `secret`, which is never shown."""

    secret: bytes

    def patient(self, patient_key: str) -> str:
        """What stands for Patient ID and name."""
        return f"P{self._digest('patient', patient_key).hex()[:12].upper()}"

    def case(self, case_id: str) -> str:
        """What stands for the case, whose own name is made of UIDs."""
        return f"C{self._digest('case', case_id).hex()[:12].upper()}"

    def uid(self, uid: str) -> str:
        """A UID in place of `uid`, under the root 2.25 (PS3.5 B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=5).int}"

    def shift(self, patient_key: str) -> timedelta:
        """How far every date of this patient goes back: one day to ten years, whole days."""
        number = int.from_bytes(self._digest("dates", patient_key)[:8])
        return timedelta(days=-1 - number % LARGEST_SHIFT_DAYS)

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self.secret, f"{purpose}|{value}".encode(), hashlib.sha256)


def shifted(value: str, by: timedelta) -> str:
    """A DA or DT value (PS3.5 6.2) some days earlier, its time of day kept; one without a whole date becomes empty."""
    digits = value.strip().replace(".", "", 2) if value[4:5] == "." else value.strip()
    day = digits[:DIGITS_OF_A_DATE]
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:8])) + by
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}{digits[DIGITS_OF_A_DATE:]}"
