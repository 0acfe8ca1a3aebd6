"""How a rule says no: one exception, with the sentence for people and the code for programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TITLES = {
    307: "Moved",
    400: "Bad request",
    401: "Not signed in",
    402: "Spending forbids it",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Not now",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    422: "Key reused",
    429: "Too many requests",
    500: "Something broke",
    503: "Away for a moment",
}


@dataclass(eq=False)
class Refusal(Exception):
    """A rule forbids the act.

    `code` is stable, `sentence` is translated and shown as it is, `status` is HTTP's, `extra`
    holds what helps: `scope`, `used`, `limit`, `left`, `reserved`, `needed`, `resets_at`,
    `contacts`; `errors` maps a field to its sentences where one field is to blame.
    """

    code: str
    sentence: str
    status: int = 409
    extra: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    retry_after: int | None = None

    def __str__(self) -> str:
        return self.sentence


def not_found() -> Refusal:
    """The one answer for what does not exist and for what is not yours to see (rule 2)."""
    from django.utils.translation import gettext as _

    return Refusal("not_found", _("It does not exist, or it is not yours to see."), status=404)


def moved(location: str) -> Refusal:
    """An old address of an organization: the same request belongs at `location`."""
    from django.utils.translation import gettext as _

    sentence = _("The organization has another address now: %(location)s") % {"location": location}
    return Refusal("moved", sentence, 307, {"location": location})


def problem(
    status: int,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    errors: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """The body of an RFC 9457 answer."""
    body: dict[str, Any] = {
        "type": f"urn:offload-portal:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = dict(errors)
    return {**body, **(extra or {})}


def problem_bytes(status: int, code: str, detail: str) -> bytes:
    return json.dumps(problem(status, code, detail)).encode()
