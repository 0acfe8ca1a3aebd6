"""Every e-mail of the portal as a reader gets it, for `/styleguide/emails/` and its tests."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from offload_portal.common.chart_pictures import picture_of
from orgs.enums import NewsKind
from orgs.services.mails import Words, html_of_text, rendered
from sessions.charts import usage_trend_chart
from usage.selectors import DayOfUse, SourceUse

AT = datetime(2026, 7, 15, 12, 0, 0, tzinfo=UTC)
TO = "ada@example.com"
ORGANIZATION = "Acme & Söhne <Engineering>"
LONG = "Maximiliane-Alexandra von und zu Hohenlohe-Schillingsfürst-Waldenburg-Bartenstein"


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail; `name` is unique and fits an address."""

    name: str
    title: str
    words: Words


def _link(path: str) -> str:
    return settings.PORTAL_URL.rstrip("/") + path


def _contexts() -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    """(what is special about it, kind, facts): each kind at least once."""
    home = {"organization": ORGANIZATION, "person": "Ada", "link": _link("/organizations/acme/")}
    waiting = {
        "organization": ORGANIZATION,
        "licenses": 25,
        "link": _link("/organizations/acme/access/"),
    }
    return [
        (
            "",
            NewsKind.INVITATION,
            {
                "organization": ORGANIZATION,
                "inviter": "Olga Owner",
                "role": "member",
                "days": 14,
                "link": _link("/invitations/a-secret-that-works-once/"),
            },
        ),
        ("", NewsKind.LICENSE_GIVEN, home),
        ("", NewsKind.LICENSE_QUEUED, {**home, "person": LONG}),
        ("", NewsKind.LICENSE_LOST, {**home, "waits": False}),
        (_("and waits again"), NewsKind.LICENSE_LOST, {**home, "waits": True}),
        ("", NewsKind.OFFLOAD_OFF, {**home, "link": _link("/organizations/acme/policy/mine/")}),
        *_requests(home),
        ("", NewsKind.LICENSES_WANTED, {**waiting, "count": 1, "names": ["欧阳娜娜"], "more": 0}),
        (
            _("many"),
            NewsKind.LICENSES_WANTED,
            {**waiting, "count": 12, "names": ["Ada", LONG], "more": 10},
        ),
        *_accepted(home),
        *_alerts(),
        ("", NewsKind.WEBHOOK_OFF, {**home, "host": "hooks.example.com"}),
        *_reports(),
        ("", NewsKind.ORGANIZATION_DELETED, {**home, "by": "Olga Owner", "link": _link("/")}),
        *_sign_in(),
    ]


@cache
def _sample_picture() -> str:
    """A trend of a few days, as a report shows it."""
    days = [
        DayOfUse(date(2026, 7, day), {"committed": SourceUse(day * 900, day * 3_600, 0)})
        for day in range(1, 8)
    ]
    return b64encode(picture_of(usage_trend_chart(days), height=480)).decode()


def _reports() -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    whole: dict[str, Any] = {
        "organization": ORGANIZATION,
        "frequency": "weekly",
        "days": ["6 Jul 2026", "12 Jul 2026"],
        "zone": "Asia/Kathmandu",
        "own": False,
        "filters": [["Team", LONG], ["Engine size", "large"]],
        "link": _link("/organizations/acme/activity/?engine=large"),
        "reports_link": _link("/organizations/acme/activity/reports/"),
        "problem": "",
        "figures": [
            {"label": "Total duration", "value": "1,421 h", "change": "+12 %"},
            {"label": "Sessions", "value": "0", "change": "−100 %"},
        ],
        "pictures": [
            {
                "name": "usage-trend",
                "title": "Compute time by day",
                "summary": "28 h in all, most on 7 Jul 2026 (7 h).",
                "png": _sample_picture(),
                "height": 240,
            }
        ],
        "tables": [
            {
                "title": "Who and what used it",
                "headers": ["Member", "Sessions", "Compute time", "Change", "Cost"],
                "rows": [
                    [LONG, "12", "55.2 h", "×4.2", "$1,234.50"],
                    ["欧阳娜娜", "1", "0.02 h", "new", "$0.00"],
                ],
                "more": 3,
            }
        ],
    }
    bare = {**whole, "figures": [], "pictures": [], "tables": [], "filters": []}
    kind = NewsKind.ACTIVITY_REPORT
    return [
        ("", kind, whole),
        (_("of one's own"), kind, {**whole, "own": True, "filters": []}),
        (_("of fewer than five people"), kind, {**bare, "problem": "too_few"}),
        (_("whose filters fit nothing"), kind, {**bare, "problem": "filters"}),
    ]


def _alerts() -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    bare: dict[str, Any] = {"name": "", "folded": [], "expected_at": None, "in_money": False}
    committed = {**bare, "bound": "commitment", "threshold": 100, "used": 172_800}
    committed |= {"limit": 172_800, "folded": ["90", "75", "50"]}
    moved = {**bare, "bound": "moved", "threshold": 0, "used": 1_250_000, "limit": 0}
    limit = {**bare, "bound": "on_demand", "threshold": 50, "used": 12_500_000_000}
    limit |= {"limit": 25_000_000_000, "in_money": True}
    forecast = {**bare, "bound": "forecast", "threshold": 0, "used": 0, "limit": 0}
    facts = {
        "organization": ORGANIZATION,
        "items": [committed, {**moved, "in_money": True}],
        "burn": 43_200,
        "forecast_at": AT,
        "earliest": AT,
        "latest": datetime(2026, 7, 19, tzinfo=UTC),
        "has_range": True,
        "users": [{"name": LONG, "amount": 90_000}, {"name": "欧阳娜娜", "amount": 3_600}],
        "images": [{"name": "registry.example.com/team/build-environment:2026-07", "amount": 12}],
        "can_act": True,
        "ask": "",
        "link": _link("/organizations/acme/billing/limits/"),
    }
    link = _link("/organizations/acme/billing/")
    early = {**forecast, "expected_at": AT}
    told = {**facts, "items": [limit], "can_act": False, "ask": "Olga Owner", "link": link}
    bare_facts = {**facts, "items": [early], "latest": None, "users": [], "images": []}
    normal = {"organization": ORGANIZATION, "is_new_period": False, "items": [limit], "link": link}
    return [
        ("", NewsKind.USAGE_ALERT, facts),
        (_("to an editor"), NewsKind.USAGE_ALERT, told),
        (_("a forecast"), NewsKind.USAGE_ALERT, bare_facts),
        ("", NewsKind.USAGE_NORMAL, normal),
        (_("a new period"), NewsKind.USAGE_NORMAL, {**normal, "is_new_period": True}),
    ]


def _sign_in() -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    facts = {"person": "Ada", "link": _link("/account/2fa/")}
    kind = NewsKind.SIGN_IN_CHANGED
    return [
        (_("second factor removed"), kind, {**facts, "act": "second_factor_removed"}),
        (_("switched off"), kind, {**facts, "act": "sign_in_off"}),
        (_("switched on"), kind, {**facts, "act": "sign_in_on"}),
    ]


def _accepted(home: Mapping[str, Any]) -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    facts = {**home, "role": "member", "wanted": True, "state": "held", "place": None}
    kind = NewsKind.INVITATION_ACCEPTED
    return [
        (_("with a license"), kind, facts),
        (_("who waits for one"), kind, {**facts, "person": LONG, "state": "queued", "place": 3}),
        (_("without one"), kind, {**facts, "wanted": False, "state": "none"}),
    ]


def _requests(home: Mapping[str, Any]) -> list[tuple[str, NewsKind, Mapping[str, Any]]]:
    asked = {
        **home,
        "note": "A release is due on Friday.",
        "wanted": "",
        "link": _link("/organizations/acme/requests/"),
    }
    answered = {**home, "by": "Olga Owner", "answer": "", "until": None, "approved": True}
    return [
        (_("access"), NewsKind.REQUEST_MADE, {**asked, "kind": "access"}),
        (_("hours"), NewsKind.REQUEST_MADE, {**asked, "kind": "hours", "note": ""}),
        (_("length"), NewsKind.REQUEST_MADE, {**asked, "kind": "session_length", "wanted": "8 h"}),
        (
            _("approved"),
            NewsKind.REQUEST_ANSWERED,
            {**answered, "kind": "access", "until": AT, "answer": "Until the release."},
        ),
        (_("hours"), NewsKind.REQUEST_ANSWERED, {**answered, "kind": "hours"}),
        (
            _("declined"),
            NewsKind.REQUEST_ANSWERED,
            {**answered, "kind": "session_length", "approved": False},
        ),
    ]


def samples() -> tuple[Sample, ...]:
    """In the language that is active."""
    language = get_language() or ""
    made = []
    for number, (special, kind, context) in enumerate(_contexts()):
        title = f"{kind.label}, {special}" if special else str(kind.label)
        words = rendered(kind, language, TO, context)
        made.append(Sample(f"{kind.value}-{number}".replace("_", "-"), title, words))
    return (*made, *_account_samples())


ACCOUNT = {
    "email_confirmation_signup": {
        "activate_url": "/account/confirm-email/a-secret/",
        "code": "",
        "key": "a-secret",
    },
    "email_confirmation": {"activate_url": "/account/confirm-email/a-secret/", "code": ""},
    "password_reset_key": {"password_reset_url": "/account/password/reset/key/a-secret/"},
    "account_already_exists": {"password_reset_url": "/account/password/reset/"},
}


def _account_samples() -> list[Sample]:
    """What allauth sends, in our words."""
    made = []
    for name, facts in ACCOUNT.items():
        context = {
            key: _link(value) if value.startswith("/") else value for key, value in facts.items()
        }
        context |= {"email": TO, "portal_url": settings.PORTAL_URL}
        made.append(Sample(name.replace("_", "-"), _titles()[name], _account_words(name, context)))
    return made


def _titles() -> dict[str, str]:
    return {
        "email_confirmation_signup": _("Confirming an address at sign-up"),
        "email_confirmation": _("Confirming another address"),
        "password_reset_key": _("A new password"),
        "account_already_exists": _("Signing up with an address that has an account"),
    }


def _account_words(name: str, context: Mapping[str, Any]) -> Words:
    prefix = f"account/email/{name}"
    subject_of = "account/email/email_confirmation" if name.startswith("email_conf") else prefix
    subject = " ".join(render_to_string(f"{subject_of}_subject.txt", dict(context)).split())
    source = f"{prefix}_message.txt"
    if name == "email_confirmation_signup":
        source = "account/email/email_confirmation_message.txt"
    text = render_to_string(source, dict(context)).strip() + "\n"
    if name == "account_already_exists":
        return Words(subject, text, html_of_text(subject, text))
    return Words(subject, text, render_to_string(f"{prefix}_message.html", dict(context)))
