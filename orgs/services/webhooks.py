"""Receivers of events: added and changed by owners, served by whoever claims a delivery."""

import base64
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from offload_portal.common.actors import PORTAL, Actor
from offload_portal.common.refusals import Refusal, not_found
from offload_portal.common.sealing import SealBrokenError, seal, unseal
from orgs import chat
from orgs.enums import DeliveryState, Event, NewsKind, WebhookEvent, WebhookStyle
from orgs.gateways import webhooks as gateway
from orgs.models import Organization, WebhookDelivery, WebhookEndpoint
from orgs.services import audit
from orgs.services.mails import portal_link
from orgs.services.news import notify
from orgs.services.notices import owners_of
from orgs.services.publishing import body_for, hint

PURPOSE = "webhook"
MOST_ENDPOINTS = 10
MOST_AT_ONCE = 20
OVERLAP = timedelta(days=1)
# Longer than a run may take.
LEASE = timedelta(minutes=15)
KEPT = timedelta(days=30)
DISABLED_AFTER = timedelta(days=5)
LONGEST_WAIT = 6 * 3_600
# Seconds to the next attempt: nine attempts within a day.
DELAYS = (5, 60, 300, 1_800, 7_200, 18_000, 28_800, 28_800)
GONE = 410


@dataclass(frozen=True, slots=True)
class Issued:
    """An endpoint with its secret, which is shown this once."""

    endpoint: WebhookEndpoint
    secret: str


# Changes by owners


def _checked_line(style: str | None, template: str | None) -> None:
    if style is not None and style not in WebhookStyle.values:
        sentence = _("Choose one of the kinds of receivers.")
        raise Refusal("invalid", sentence, 400, errors={"style": [sentence]})
    unknown = chat.unknown_names(template or "")
    if unknown:
        sentence = _("No event has %(name)s; there are %(known)s and {data.…}.") % {
            "name": f"{{{unknown[0]}}}",
            "known": ", ".join(f"{{{name}}}" for name in sorted(chat.NAMES)),
        }
        raise Refusal("invalid", sentence, 400, errors={"template": [sentence]})
    if len(template or "") > chat.MOST_TEMPLATE_LETTERS:
        sentence = _("A line has at most %(most)s characters.")
        sentence %= {"most": chat.MOST_TEMPLATE_LETTERS}
        raise Refusal("invalid", sentence, 400, errors={"template": [sentence]})


def _checked(url: str | None, events: Sequence[str] | None) -> None:
    if events is not None and (not events or not set(events) <= set(WebhookEvent.values)):
        sentence = _("Choose one event or more of the list.")
        raise Refusal("invalid", sentence, 400, errors={"events": [sentence]})
    if url is not None:
        try:
            gateway.target_of(url)
        except gateway.ForbiddenAddressError as wrong:
            raise Refusal("invalid", str(wrong), 400, errors={"url": [str(wrong)]}) from wrong


@transaction.atomic
def add_endpoint(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    url: str,
    events: Sequence[str],
    style: str = WebhookStyle.STANDARD,
    template: str = "",
) -> Issued:
    """A receiver of the events; `style` and `template` make a chat's line of each."""
    _checked(url, events)
    _checked_line(style, template)
    Organization.objects.select_for_update().get(pk=organization.pk)
    if WebhookEndpoint.objects.filter(organization=organization).count() >= MOST_ENDPOINTS:
        sentence = _("An organization has at most %(most)s webhooks.") % {"most": MOST_ENDPOINTS}
        raise Refusal("too_many_webhooks", sentence)
    secret = _new_secret()
    row = WebhookEndpoint.objects.create(
        organization=organization,
        url=url,
        events=sorted(set(events)),
        style=style,
        template=template.strip(),
        secret=seal(secret, PURPOSE),
        created_at=at,
    )
    _record(Event.WEBHOOK_ADDED, actor, at, row)
    return Issued(row, secret)


@transaction.atomic
def change_endpoint(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    endpoint_id: uuid.UUID,
    url: str | None = None,
    events: Sequence[str] | None = None,
    style: str | None = None,
    template: str | None = None,
    is_enabled: bool | None = None,
) -> WebhookEndpoint:
    """What is None stays. Who switches it on again begins without a failure."""
    row = _find(organization, endpoint_id)
    _checked(url, events)
    _checked_line(style, template)
    row.style = row.style if style is None else style
    row.template = row.template if template is None else template.strip()
    row.url = row.url if url is None else url
    row.events = row.events if events is None else sorted(set(events))
    if is_enabled is not None:
        row.is_enabled = is_enabled
        row.failing_since = None
    row.save(update_fields=["url", "events", "style", "template", "is_enabled", "failing_since"])
    _record(Event.WEBHOOK_CHANGED, actor, at, row)
    return row


@transaction.atomic
def rotate_secret(
    *, actor: Actor, at: datetime, organization: Organization, endpoint_id: uuid.UUID
) -> Issued:
    """A new secret; the one before signs beside it for a day."""
    row = _find(organization, endpoint_id)
    secret = _new_secret()
    row.old_secret, row.old_secret_until = row.secret, at + OVERLAP
    row.secret = seal(secret, PURPOSE)
    row.save(update_fields=["secret", "old_secret", "old_secret_until"])
    _record(Event.WEBHOOK_ROTATED, actor, at, row)
    return Issued(row, secret)


@transaction.atomic
def remove_endpoint(
    *, actor: Actor, at: datetime, organization: Organization, endpoint_id: uuid.UUID
) -> None:
    row = _find(organization, endpoint_id)
    _record(Event.WEBHOOK_REMOVED, actor, at, row)
    row.delete()


@transaction.atomic
def send_test(
    *, actor: Actor, at: datetime, organization: Organization, endpoint_id: uuid.UUID
) -> WebhookDelivery:
    """An event of its own kind, so that no receiver takes it for a real one."""
    row = _find(organization, endpoint_id)
    body = body_for(row, "test", at, {"organization_id": str(organization.pk)})
    return _queued(row, "test", body, at)


@transaction.atomic
def replay(
    *, actor: Actor, at: datetime, organization: Organization, delivery_id: uuid.UUID
) -> WebhookDelivery:
    """Send the same event once more, as a delivery of its own."""
    found = WebhookDelivery.objects.filter(
        pk=delivery_id, endpoint__organization=organization
    ).select_related("endpoint")
    old = found.first()
    if old is None:
        raise not_found()
    return _queued(old.endpoint, old.event, old.body, at)


def _queued(row: WebhookEndpoint, event: str, body: str, at: datetime) -> WebhookDelivery:
    made = WebhookDelivery.objects.create(
        endpoint=row, event=event, body=body, created_at=at, next_attempt_at=at
    )
    transaction.on_commit(hint, robust=True)
    return made


def _find(organization: Organization, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_for_update().filter(organization=organization)
    row = rows.filter(pk=endpoint_id).first()
    if row is None:
        raise not_found()
    return row


def _record(event: Event, actor: Actor, at: datetime, row: WebhookEndpoint) -> None:
    """The address may hold a secret, so the entry has its host alone."""
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=row.organization_id,
        subject=("webhook", row.pk),
        after={
            "host": gateway.target_of(row.url).host,
            "events": row.events,
            "is_enabled": row.is_enabled,
        },
    )


# Signatures (Standard Webhooks)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(row: WebhookEndpoint, message_id: str, body: str, at: datetime) -> dict[str, str]:
    """The three headers; two signatures while a rotation overlaps."""
    keys = [unseal(row.secret, PURPOSE)]
    if row.old_secret_until is not None and at < row.old_secret_until:
        keys.append(unseal(row.old_secret, PURPOSE))
    stamp = str(int(at.timestamp()))
    content = f"{message_id}.{stamp}.{body}".encode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{_signature(key, content)}" for key in keys),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


# Delivery


def deliver(*, at: datetime, most: int = MOST_AT_ONCE) -> int:
    """Send what is due; safe from several workers at once. How many were tried."""
    left = WebhookDelivery.objects.filter(state=DeliveryState.SENDING, claimed_at__lte=at - LEASE)
    left.update(state=DeliveryState.WAITING, claimed_at=None)
    tried = 0
    for key in list(WebhookDelivery.objects.due(at).values_list("pk", flat=True)[:most]):
        mine = WebhookDelivery.objects.filter(pk=key, state=DeliveryState.WAITING)
        claim = {"state": DeliveryState.SENDING, "claimed_at": at, "attempts": F("attempts") + 1}
        if mine.filter(next_attempt_at__lte=at).update(**claim):
            row = WebhookDelivery.objects.select_related("endpoint").get(pk=key)
            _attempt(row, at)
            tried += 1
    return tried


def _attempt(row: WebhookDelivery, at: datetime) -> None:
    status, answer, error, retry_after = None, "", "", ""
    try:
        headers = signed(row.endpoint, f"msg_{row.pk.hex}", row.body, at)
        found = gateway.post(row.endpoint.url, row.body.encode(), headers)
        status, answer, retry_after = found.status, found.text, found.retry_after
    except gateway.UnreachableError as trouble:
        error = str(trouble)
    except SealBrokenError:
        error = "The secret can't be opened: rotate it."
    row.status, row.answer, row.error = status, answer.replace("\0", "")[:500], error[:200]
    _settle(row, at, retry_after)


def _settle(row: WebhookDelivery, at: datetime, retry_after: str) -> None:
    """Write down how it went; the last attempt's failure is final."""
    delivered = row.status is not None and 200 <= row.status < 300
    row.claimed_at = None
    if delivered:
        row.state, row.delivered_at = DeliveryState.DELIVERED, at
    elif row.status == GONE or row.attempts > len(DELAYS) or not row.endpoint.is_enabled:
        row.state = DeliveryState.FAILED
    else:
        row.state = DeliveryState.WAITING
        row.next_attempt_at = at + timedelta(seconds=_wait(row, retry_after))
    with transaction.atomic():
        row.save()
        _note(row, at, delivered=delivered)


def _wait(row: WebhookDelivery, retry_after: str) -> int:
    asked = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0
    return max(DELAYS[row.attempts - 1], min(asked, LONGEST_WAIT))


def _note(row: WebhookDelivery, at: datetime, *, delivered: bool) -> None:
    """A receiver that is gone, or failed for five days, is switched off; owners are told."""
    mine = WebhookEndpoint.objects.filter(pk=row.endpoint_id)
    if delivered:
        mine.exclude(failing_since=None).update(failing_since=None)
        return
    mine.filter(failing_since=None).update(failing_since=at)
    over = mine.filter(is_enabled=True)
    if row.status != GONE:
        over = over.filter(failing_since__lte=at - DISABLED_AFTER)
    if over.update(is_enabled=False):
        _tell_disabled(row.endpoint, at)


def _tell_disabled(row: WebhookEndpoint, at: datetime) -> None:
    row.is_enabled = False
    _record(Event.WEBHOOK_CHANGED, PORTAL, at, row)
    organization = row.organization
    facts = {
        "organization": organization.name,
        "host": gateway.target_of(row.url).host,
        "link": portal_link("orgs:webhook", organization.slug, row.pk),
    }
    notify(
        kind=NewsKind.WEBHOOK_OFF,
        at=at,
        organization=organization,
        people=owners_of(organization),
        context=lambda _person: facts,
    )


def forget(*, at: datetime) -> int:
    """Deliveries older than 30 days go; how many."""
    return WebhookDelivery.objects.filter(created_at__lt=at - KEPT).delete()[0]
