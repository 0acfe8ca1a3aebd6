"""What a mail says: rendered when it is sent, in the reader's language.

A letter is stored with the facts that its text needs, sealed, since links in it hold secrets.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.mime.image import MIMEImage
from html import unescape
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from offload_portal.common.sealing import seal, unseal
from orgs.enums import ALWAYS_BY_MAIL, NewsKind

PURPOSE = "mail"
_unsubscribing = Signer(salt="orgs.mail.unsubscribe")
# A last sentence that leads to what only the mail has below it.
_HANGING = re.compile(r"(?:(?<=[.!?。！？])|^)\s*[^.!?。！？]*[:：]$")
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that the page of HTML shows as `cid:NAME`."""

    name: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Words:
    """A mail as the reader gets it; `text` has no subject line."""

    subject: str
    text: str
    html: str
    pictures: tuple[Picture, ...] = ()


def portal_link(route: str, *args: object) -> str:
    return settings.PORTAL_URL.rstrip("/") + reverse(route, args=args)


# Stored


def sealed_letter(kind: NewsKind, language: str, context: Mapping[str, Any]) -> str:
    """A letter whose text is `templates/emails/KIND.txt` and `.html`, to be rendered later."""
    facts = {"language": language, "context": dict(context)}
    return seal(json.dumps({"kind": str(kind), **facts}, default=_plain), PURPOSE)


def sealed_words(words: Words) -> str:
    """A letter that was rendered already."""
    facts = {"subject": words.subject, "text": words.text, "html": words.html}
    return seal(json.dumps(facts), PURPOSE)


def opened(sealed: str, to: str) -> Words:
    """What the stored letter says. SealBrokenError where SECRET_KEY is another one now."""
    facts = json.loads(unseal(sealed, PURPOSE), object_hook=_instants)
    if "subject" in facts:
        return Words(facts["subject"], facts["text"], facts["html"])
    return rendered(NewsKind(facts["kind"]), facts["language"], to, facts["context"])


def plain(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context as JSON can hold it."""
    return dict(json.loads(json.dumps(dict(context), default=_plain)))


def revived(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The context that `plain` was given."""
    return dict(json.loads(json.dumps(dict(facts)), object_hook=_instants))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    return str(value)


def _instants(value: dict[str, Any]) -> Any:
    if value.keys() == {"instant"}:
        return datetime.fromisoformat(value["instant"])
    return value


# Rendered


def rendered(kind: NewsKind, language: str, to: str, context: Mapping[str, Any]) -> Words:
    """The words of a kind; the first line of its text is the subject."""
    with translation.override(language or settings.LANGUAGE_CODE):
        whole = {"link": "", **context, "portal_url": settings.PORTAL_URL, "to": to}
        whole["choices_url"] = "" if kind in ALWAYS_BY_MAIL else portal_link("orgs:mail_choices")
        text = render_to_string(f"emails/{kind}.txt", whole)
        html = render_to_string(f"emails/{kind}.html", whole)
    subject, _rule, body = text.strip().partition("\n")
    # A name may hold what a header must not.
    return Words(" ".join(subject.split()), body.strip() + "\n", html, _pictures(context))


def _pictures(context: Mapping[str, Any]) -> tuple[Picture, ...]:
    """Those of the letter's facts, which hold them as base64."""
    return tuple(
        Picture(each["name"], b64decode(each["png"])) for each in context.get("pictures", ())
    )


def headline(kind: NewsKind, context: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and first paragraph, in the language that is active: the news in the portal."""
    whole = {"link": "", "to": "", "choices_url": "", **context}
    whole["portal_url"] = settings.PORTAL_URL
    subject, _rule, body = render_to_string(f"emails/{kind}.txt", whole).strip().partition("\n")
    first = " ".join(body.strip().partition("\n\n")[0].split())
    return " ".join(subject.split()), _HANGING.sub("", first)


def html_of_text(subject: str, text: str) -> str:
    """The portal's look around a text that has no HTML of its own."""
    words = text.partition("\n--\n")[0].strip()
    context = {"subject": subject, "text": words, "portal_url": settings.PORTAL_URL}
    return render_to_string(
        "emails/text.html", {**context, "link": "", "to": "", "choices_url": ""}
    )


def message(
    words: Words, to: str, kind: NewsKind, person_id: UUID | None
) -> EmailMultiAlternatives:
    """The message itself; news that one may decline says in its head how (RFC 2369, RFC 8058)."""
    headers = {"Auto-Submitted": "auto-generated"}
    if person_id is not None and kind not in ALWAYS_BY_MAIL:
        link = portal_link("orgs:unsubscribe", unsubscribe_token(person_id, kind))
        headers["List-Unsubscribe"] = f"<{link}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made = EmailMultiAlternatives(words.subject, words.text, to=[to], headers=headers)
    made.attach_alternative(words.html, "text/html")
    if words.pictures:
        # The pictures belong to the page that shows them, not beside it.
        made.mixed_subtype = "related"  # type: ignore[attr-defined]  # the stubs lack it
    for picture in words.pictures:
        part = MIMEImage(picture.png, "png")
        part.add_header("Content-ID", f"<{picture.name}>")
        part.add_header("Content-Disposition", "inline", filename=f"{picture.name}.png")
        made.attach(part)
    return made


def inlined(words: Words) -> str:
    """The page with its own pictures in it, as a mail program shows them."""
    html = words.html
    for picture in words.pictures:
        data = b64encode(picture.png).decode()
        html = html.replace(f"cid:{picture.name}", f"data:image/png;base64,{data}")
    return html


# Declined


def unsubscribe_token(person_id: UUID, kind: NewsKind) -> str:
    return _unsubscribing.sign(f"{person_id.hex}.{kind}").replace(":", "~")


def unsubscribed(token: str) -> tuple[UUID, NewsKind] | None:
    """Who declines which kind of news; None where the link was changed."""
    try:
        person, _dot, kind = _unsubscribing.unsign(token.replace("~", ":")).partition(".")
        return UUID(person), NewsKind(kind)
    except (BadSignature, ValueError):
        return None


def title_of(html: str) -> str:
    """The title of a page of HTML."""
    found = _TITLE.search(html)
    return unescape(found[1]).strip() if found else ""
