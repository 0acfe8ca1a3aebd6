"""Who calls the API, as idempotency, rate limits and scopes see it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request

from offload_portal.common.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Caller:
    """What a token stands for: DRF's `request.auth`.

    `name` is whom idempotency keys belong to, `token` what rate limits count; `organization` is
    set for an organization's token, which is no person.
    """

    name: str
    token: str
    scopes: frozenset[str]
    organization: Any = field(default=None)

    def has_any(self, wanted: Iterable[str]) -> bool:
        return not self.scopes.isdisjoint(wanted)


def caller_of(request: Request) -> Caller:
    """Whose token it is; only behind authentication."""
    caller: Any = request.auth
    if not isinstance(caller, Caller):
        raise TypeError("Nobody is signed in: the view needs IsAuthenticated.")
    return caller


def insufficient_scope(wanted: Iterable[str]) -> Refusal:
    """403: the token lacks a scope; any of `wanted` would do."""
    names = " / ".join(str(scope) for scope in wanted)
    sentence = _("The token lacks the scope for this: %(scopes)s.") % {"scopes": names}
    return Refusal("insufficient_scope", sentence, 403, {"required_scope": names})


def not_a_person() -> Refusal:
    """403: an organization's token reads, it never acts."""
    sentence = _("An organization's token reads the organization; this takes a person's token.")
    return Refusal("person_required", sentence, 403)
