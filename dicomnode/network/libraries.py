"""The module globals of pynetdicom and pydicom, set once at start-up, and only here."""

import logging

import pydicom.config
import pynetdicom._config


def set_library_globals() -> None:
    """Neither library may write values of a header into a log; both read what real devices send."""
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"  # noqa: SLF001 - where pynetdicom documents its options
    pynetdicom._config.LOG_REQUEST_IDENTIFIERS = False  # noqa: SLF001
    pynetdicom._config.LOG_RESPONSE_IDENTIFIERS = False  # noqa: SLF001
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.WARNING)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
