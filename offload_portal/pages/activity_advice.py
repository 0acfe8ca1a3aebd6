"""Advice: what an owner could do better, said with the figures behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_safe

from offload_portal.common.display import (
    compute_hours_text,
    duration_text,
    number_text,
    share_text,
)
from offload_portal.common.money import format_usd, per_hour
from offload_portal.pages import activity_links as links
from offload_portal.pages.activity_asked import answer
from offload_portal.pages.live import live_page
from orgs.frames import SEERS, Frame, organization_page
from sessions.charts.outcomes import codes_text
from sessions.forms import ActivityChoice
from sessions.selectors.advice import Advice, IdleCheck, LicenseCheck, advice_of
from sessions.selectors.outcomes import FailingImage
from sessions.selectors.rebuilt import LEAST_A_DAY, RebuiltImage
from sessions.selectors.scope import Scope
from usage.selectors.commitments import CommitmentCheck
from usage.selectors.rates import current_rate


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that was looked at. `kind` is `notice` where something could be better."""

    kind: str
    title: str
    text: str
    facts: Sequence[tuple[str, str]]
    url: str = ""
    label: str = ""

    @property
    def is_advice(self) -> bool:
        return self.kind == "notice"


@require_safe
@live_page
@organization_page("activity", roles=SEERS)
def activity_advice(request: HttpRequest, frame: Frame) -> HttpResponse:
    return answer(request, frame, "activity_advice", _advice)


def _advice(
    request: HttpRequest, frame: Frame, choice: ActivityChoice, scope: Scope
) -> Mapping[str, Any]:
    rate = current_rate(frame.organization, frame.at)
    found = advice_of(scope, rate)
    cards = cards_of(found, rate, frame.organization.slug, links.with_parameters(request.GET))
    cards.sort(key=lambda card: not card.is_advice)
    return {"cards": cards, "advised": sum(card.is_advice for card in cards)}


def cards_of(found: Advice, rate: int | None, slug: str, query: str = "") -> list[Card]:
    """A card for each thing that was looked at, also where it is as it should be."""
    cards = [idle_card(found.idle, rate, slug), commitment_card(found.commitment, slug)]
    cards.append(license_card(found.licenses, slug))
    cards.append(image_card(found.image, slug, query))
    cards.append(rebuilt_card(found.rebuilt, slug, query))
    return cards


def idle_card(check: IdleCheck, rate: int | None, slug: str) -> Card:
    facts = [
        (_("Sessions that ended idle"), number_text(check.sessions)),
        (_("Billed while waiting"), compute_hours_text(check.waited)),
        (_("Share of all compute time"), share_text(check.waited, check.billed)),
    ]
    if not check.is_worth_it:
        text = _("Waiting for the idle timeout costs little: a shorter one would save %(saved)s.")
        return Card(
            "good",
            _("The idle timeout is short enough"),
            text % {"saved": compute_hours_text(check.saved)},
            facts,
        )
    text = _(
        "A session is billed until its idle timeout has passed after the last activity. With "
        "%(suggested)s instead of up to %(longest)s, %(saved)s less would have been billed"
        "%(cost)s. Sessions would also end earlier after a pause."
    ) % {
        "suggested": duration_text(check.suggested_seconds),
        "longest": duration_text(check.longest_seconds),
        "saved": compute_hours_text(check.saved),
        "cost": _(", %(cost)s at the on-demand rate") % {"cost": format_usd(check.saved * rate)}
        if rate
        else "",
    }
    facts.append((_("Saved by a shorter timeout"), compute_hours_text(check.saved)))
    where = reverse("orgs:policy", args=[slug])
    return Card("notice", _("Shorten the idle timeout"), text, facts, where, _("Open the policy"))


def commitment_card(check: CommitmentCheck | None, slug: str) -> Card:
    if check is None:
        return Card(
            "good",
            _("Committed usage"),
            _("Whether it has the right size can be told once a billing period is over."),
            [],
        )
    count = len(check.periods)
    used = sum(period.used for period in check.periods) // count
    unused = sum(period.unused for period in check.periods) // count
    facts = [
        (_("Committed per period"), compute_hours_text(check.committed)),
        (_("Used per period"), compute_hours_text(used)),
        (_("Committed and not used"), compute_hours_text(unused)),
        (_("An hour ahead, on demand"), _rates(check)),
    ]
    if check.best == check.committed:
        text = ngettext(
            "In the last period no other commitment would have cost less.",
            "In the last %(count)s periods no other commitment would have cost less.",
            count,
        )
        return Card("good", _("Committed usage fits"), text % {"count": count}, facts)
    more = check.best > check.committed
    text = ngettext(
        "With %(best)s committed instead of %(now)s the last period would have cost %(saved)s "
        "less.",
        "With %(best)s committed instead of %(now)s the last %(count)s periods would have cost "
        "%(saved)s less each, on average.",
        count,
    ) % {
        "best": compute_hours_text(check.best),
        "now": compute_hours_text(check.committed),
        "saved": format_usd(check.saved_microusd),
        "count": count,
    }
    title = _("Commit more") if more else _("Commit less")
    where = reverse("pages:commitment", args=[slug])
    return Card("notice", title, text, facts, where, _("Change committed usage"))


def _rates(check: CommitmentCheck) -> str:
    ahead, later = check.commitment_rate_microusd, check.on_demand_rate_microusd
    return f"{format_usd(per_hour(ahead))} · {format_usd(per_hour(later))}"


def license_card(check: LicenseCheck, slug: str) -> Card:
    facts = [
        (_("Licenses"), number_text(check.licenses)),
        (_("Held"), number_text(check.held)),
        (_("Never used"), number_text(check.never)),
        (_("Not used for 30 days"), number_text(check.idle)),
    ]
    if not check.unused:
        text = _("Everybody who holds one started a session in the last 30 days.")
        return Card("good", _("Licenses are used"), text, facts)
    text = ngettext(
        "%(count)s member holds a license and did not use it in the last 30 days. Somebody else "
        "could have it.",
        "%(count)s members hold a license and did not use it in the last 30 days. Others could "
        "have them.",
        check.unused,
    ) % {"count": number_text(check.unused)}
    used = "never" if check.never else "idle"
    where = reverse("pages:members", args=[slug]) + f"?access=held&used={used}"
    return Card("notice", _("Reclaim licenses"), text, facts, where, _("See who"))


def image_card(image: FailingImage | None, slug: str, query: str) -> Card:
    if image is None:
        text = _("No image has five failed containers or more, and one in five that fails.")
        return Card("good", _("No image fails often"), text, [])
    text = _("%(failed)s of %(runs)s containers of %(image)s failed, in %(sessions)s sessions.") % {
        "failed": number_text(image.failed),
        "runs": number_text(image.runs),
        "image": image.image,
        "sessions": number_text(image.sessions),
    }
    facts = [
        (_("Failed"), share_text(image.failed, image.runs)),
        (_("Exit codes"), codes_text(image)),
        (_("Users"), number_text(image.users)),
    ]
    where = reverse("pages:activity_outcomes", args=[slug]) + query.rstrip("?")
    return Card("notice", _("Look at an image that fails"), text, facts, where, _("See images"))


def rebuilt_card(image: RebuiltImage | None, slug: str, query: str) -> Card:
    if image is None:
        text = _("No image was built %(count)s times or more on a day, for half an hour or more.")
        return Card("good", _("No image is rebuilt all day"), text % {"count": LEAST_A_DAY}, [])
    text = _(
        "%(image)s was built %(builds)s times on %(day)s, which took %(time)s. A base image with "
        "what seldom changes, or a build cache that is kept, makes it build less."
    ) % {
        "image": image.image,
        "builds": number_text(image.builds),
        "day": date_format(image.day, pgettext("date format", "j M Y")),
        "time": duration_text(image.seconds),
    }
    facts = [
        (_("Days with so many builds"), number_text(image.days)),
        (_("Builds on them"), number_text(image.all_builds)),
        (_("Time they took"), duration_text(image.all_seconds)),
    ]
    here = reverse("pages:activity", args=[slug])
    days = {"since": image.day.isoformat(), "until": image.day.isoformat(), "period": None}
    where = here + links.with_parameters(QueryDict(query.lstrip("?")), **days)
    return Card(
        "notice", _("An image is rebuilt all day"), text, facts, where, _("Sessions of that day")
    )
