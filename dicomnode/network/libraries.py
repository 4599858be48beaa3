"""The module globals of pynetdicom and pydicom, set once at start-up, and only here."""

import warnings

import pydicom.config
import pynetdicom._config


def set_library_globals() -> None:
    """Keep identifiers out of pynetdicom's logs; let pydicom read what real devices send without complaint.

    Its complaints would quote the values that they are about.
    """
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"  # noqa: SLF001 - where pynetdicom documents its options
    pynetdicom._config.LOG_REQUEST_IDENTIFIERS = False  # noqa: SLF001
    pynetdicom._config.LOG_RESPONSE_IDENTIFIERS = False  # noqa: SLF001
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
