"""`Idempotency-Key`: the same key and body get the same answer, byte for byte (api.md).

A claim is committed before the work begins; the answer is kept in the transaction of the effect.
So a crash leaves either both or neither, and a claim that nobody finished may be taken over.
"""

import contextlib
import functools
import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import DatabaseError, transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.callers import caller_of
from offload_portal.api.models import KeptAnswer
from offload_portal.common.refusals import Refusal

CLAIM = timedelta(minutes=1)
LIVES = timedelta(hours=24)
KEPT_HEADERS = ("Location", "ETag", "Retry-After", "Cache-Control", "WWW-Authenticate")
# What says nothing about the request itself; the same key may try again.
NOT_KEPT = frozenset({401, 408, 429})
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class View(Protocol):
    def handle_exception(self, exc: Exception) -> Any: ...

    def rendered(self, response: Response) -> bytes: ...


Handler = Callable[..., Any]


def idempotent(handler: Handler) -> Handler:
    """For a view's method that creates or changes; without the header it runs as it is."""

    @functools.wraps(handler)
    def method(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            response: HttpResponse = handler(view, request, *args, **kwargs)
            return response
        if not _KEY.fullmatch(key):
            raise _bad_key()
        kept, claim = _claim(request, key, timezone.now())
        if kept.status is not None:
            return _replay(kept)
        return _run(view, kept, claim, lambda: handler(view, request, *args, **kwargs))

    method.takes_idempotency_key = True  # type: ignore[attr-defined]  # the schema reads it
    return method


def _bad_key() -> Refusal:
    sentence = _("An idempotency key is 1 to 255 visible ASCII characters without spaces.")
    return Refusal("invalid_idempotency_key", sentence, 400)


def _in_use() -> Refusal:
    sentence = _("The first request with this idempotency key is still under way.")
    return Refusal("idempotency_key_in_use", sentence, 409, retry_after=1)


def _reused() -> Refusal:
    sentence = _("This idempotency key was used for another request; take a new one.")
    return Refusal("idempotency_key_reused", sentence, 422)


def fingerprint(request: Request) -> str:
    """Of the method, the address with its query, and the body's bytes."""
    raw = request._request
    digest = hashlib.sha256(f"{raw.method} {raw.get_full_path()}\n".encode())
    digest.update(raw.body)
    return digest.hexdigest()


def _claim(request: Request, key: str, now: datetime) -> tuple[KeptAnswer, uuid.UUID]:
    """The row of the key with our claim on it, or with the answer that was kept."""
    claim, print_ = uuid.uuid4(), fingerprint(request)
    caller = caller_of(request).name
    row = KeptAnswer(caller=caller, key=key, fingerprint=print_, claimed_at=now, claim=claim)
    KeptAnswer.objects.bulk_create([row], ignore_conflicts=True)
    kept = KeptAnswer.objects.get(caller=caller, key=key)
    if kept.claim == claim:
        return kept, claim
    expired = kept.claimed_at <= now - LIVES
    if kept.fingerprint != print_ and not expired:
        raise _reused()
    if kept.status is not None and not expired:
        return kept, claim
    if not expired and kept.claimed_at > now - CLAIM:
        raise _in_use()
    taken = KeptAnswer.objects.filter(pk=kept.pk, claim=kept.claim).update(
        claim=claim, claimed_at=now, fingerprint=print_, status=None, body=b"", headers={}
    )
    if not taken:
        raise _in_use()
    kept.status = None
    return kept, claim


def _run(
    view: View, kept: KeptAnswer, claim: uuid.UUID, work: Callable[[], Response]
) -> HttpResponse:
    """Do the work and keep its answer with it, or keep the refusal, or let the key go."""
    try:
        with transaction.atomic():
            answer = _plain(view, work())
            _keep(kept, claim, answer)
    except Exception as exc:
        answer = view.handle_exception(exc)
        if answer.status_code >= 500 or answer.status_code in NOT_KEPT:
            _let_go(kept, claim)
        else:
            _keep(kept, claim, answer)
    return answer


def _plain(view: View, response: Response | HttpResponse) -> HttpResponse:
    """The answer's bytes, made now, so that a replay sends the same ones."""
    if not isinstance(response, Response):
        return response
    headers = {name: value for name, value in response.items() if name in KEPT_HEADERS}
    return HttpResponse(
        view.rendered(response),
        status=response.status_code,
        content_type="application/json",
        headers=headers,
    )


def _keep(kept: KeptAnswer, claim: uuid.UUID, answer: HttpResponse) -> None:
    mine = KeptAnswer.objects.filter(pk=kept.pk, claim=claim, status=None)
    if not mine.update(
        status=answer.status_code,
        content_type=answer.headers["Content-Type"],
        body=answer.content,
        headers={name: value for name, value in answer.items() if name in KEPT_HEADERS},
    ):
        # Somebody took the claim over while the work was stuck: theirs counts, ours is undone.
        raise _in_use()


def _let_go(kept: KeptAnswer, claim: uuid.UUID) -> None:
    """After a fault of ours. Where the database is away the claim grows old by itself."""
    with contextlib.suppress(DatabaseError):
        KeptAnswer.objects.filter(pk=kept.pk, claim=claim, status=None).delete()


def _replay(kept: KeptAnswer) -> HttpResponse:
    return HttpResponse(
        bytes(kept.body),
        status=kept.status,
        content_type=kept.content_type,
        headers={**kept.headers, "Idempotency-Replayed": "true"},
    )


def forget_old(*, at: datetime) -> int:
    """Delete what is older than a key lives; says how many."""
    deleted, _by_model = KeptAnswer.objects.filter(claimed_at__lt=at - LIVES).delete()
    return deleted
