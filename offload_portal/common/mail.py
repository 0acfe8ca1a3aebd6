"""Mail where no SMTP server is named: printed, and kept for the page /development/mail/."""

import json
import re
import secrets
import sys
import threading
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.mime.image import MIMEImage
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

KEPT = 200
_NAME = re.compile(r"^[0-9]{8}T[0-9]{12}-[0-9a-f]{8}$")
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class KeptMail:
    """`name` is its file's; `html` is empty where the mail has only text."""

    name: str
    sent_at: datetime
    to: tuple[str, ...]
    subject: str
    text: str
    html: str


class TerminalAndPageBackend(BaseEmailBackend):
    """EMAIL_BACKEND of an installation without SMTP_HOST."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        at = timezone.now()
        for message in email_messages:
            mail = _read(message, at)
            with _one_at_a_time:
                _print(mail)
                _keep(mail)
        return len(email_messages)


def kept_mails() -> tuple[KeptMail, ...]:
    """The last ones, newest first."""
    names = sorted((path.stem for path in _folder().glob("*.json")), reverse=True)
    found = (kept_mail(name) for name in names[:KEPT])
    return tuple(mail for mail in found if mail)


def kept_mail(name: str) -> KeptMail | None:
    """The mail of that name, if it is kept still."""
    if not _NAME.match(name):
        return None
    try:
        facts = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    sent_at = datetime.fromisoformat(facts.pop("sent_at"))
    return KeptMail(sent_at=sent_at, to=tuple(facts.pop("to")), **facts)


def _folder() -> Path:
    folder = Path(settings.MAIL_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _read(message: EmailMessage, at: datetime) -> KeptMail:
    pages = [part[0] for part in getattr(message, "alternatives", ()) if part[1] == "text/html"]
    return KeptMail(
        name=f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}",
        sent_at=at,
        to=tuple(message.recipients()),
        subject=str(message.subject),
        text=str(message.body),
        html=_with_pictures(str(pages[0]), message) if pages else "",
    )


def _with_pictures(html: str, message: EmailMessage) -> str:
    """The page with its own pictures in it, as a mail program would show them."""
    for part in message.attachments:
        name = str(part.get("Content-ID", "")).strip("<>") if isinstance(part, MIMEImage) else ""
        if name:
            data = b64encode(part.get_payload(decode=True)).decode()
            html = html.replace(f"cid:{name}", f"data:image/png;base64,{data}")
    return html


def _print(mail: KeptMail) -> None:
    head = f"To: {', '.join(mail.to)}\nSubject: {mail.subject}"
    sys.stdout.write(f"--- Mail ---\n{head}\n\n{mail.text.strip()}\n------------\n")
    sys.stdout.flush()


def _keep(mail: KeptMail) -> None:
    folder = _folder()
    facts = {**asdict(mail), "sent_at": mail.sent_at.isoformat()}
    draft = folder / f".{mail.name}"
    draft.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    draft.rename(folder / f"{mail.name}.json")
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
