"""Tells people what waits for them: by mail, to a webhook, at once or once a day. Nothing here names a patient."""

from .notifier import Notifier

__all__ = ["Notifier"]
