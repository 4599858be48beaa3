"""The module globals of pynetdicom and pydicom, set once at start-up, and only here."""

import pydicom.config
import pynetdicom._config


def set_library_globals() -> None:
    """Keep identifiers out of pynetdicom's logs; let pydicom read what real devices send without complaint."""
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"  # noqa: SLF001 - where pynetdicom documents its options
    pynetdicom._config.LOG_REQUEST_IDENTIFIERS = False  # noqa: SLF001
    pynetdicom._config.LOG_RESPONSE_IDENTIFIERS = False  # noqa: SLF001
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
