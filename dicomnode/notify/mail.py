"""Messages by SMTP (RFC 5321), encrypted unless the settings say otherwise."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from ..errors import PeerRefusedError, PeerUnreachableError
from ..settings import NotifySettings
from .message import Message


class Mail:
    """One mail to all of `mail_to`."""

    name = "mail"

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings

    def __call__(self, message: Message) -> None:
        """Hand it to the server. Raises `PeerError` when that does not take it."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = (
            message.subject,
            self._settings.mail_from,
            ", ".join(self._settings.mail_to),
        )
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="dicomnode.invalid")
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: absence notes are not wanted
        mail.set_content(message.body)
        try:
            with self._connected() as server:
                if self._settings.smtp_user:
                    server.login(self._settings.smtp_user, self._settings.smtp_password)
                server.send_message(mail)
        except smtplib.SMTPException as error:
            raise PeerRefusedError(f"the mail server did not take the message: {type(error).__name__}") from error
        except OSError as error:
            raise PeerUnreachableError(f"the mail server cannot be reached: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        host, port, timeout_s = self._settings.smtp_host, self._settings.smtp_port, self._settings.timeout_s
        context = ssl.create_default_context(cafile=self._settings.smtp_ca or None)
        if self._settings.smtp_tls == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
        server = smtplib.SMTP(host, port, timeout=timeout_s)
        if self._settings.smtp_tls == "starttls":
            server.starttls(context=context)
        return server
