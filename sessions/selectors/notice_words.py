"""The sentences of notices: what, by which rule, and who can change it. Instants are in the
current zone, which is UTC for clients; cut to the minute, so that nothing happens before it."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from offload_portal.common.display import duration_text
from orgs.selectors.policies import PolicyTerms
from sessions.enums import NoticeKind
from sessions.models import Session
from sessions.selectors.caps import CapAhead
from usage.enums import CapScope


def instant_text(instant: datetime, at: datetime) -> str:
    """`14:05 UTC`, with the day where it is another one than that of `at`."""
    local = timezone.localtime(instant)
    same_day = local.date() == timezone.localtime(at).date()
    # Not strftime's month, which would be in the language of the process.
    return f"{local:%H:%M %Z}" if same_day else f"{local:%Y-%m-%d, %H:%M %Z}"


def before_the_end(
    kind: NoticeKind, deadline: datetime, at: datetime, *, ends_session: bool
) -> str:
    when = {"when": instant_text(deadline, at)}
    if deadline <= at and not ends_session:
        return _(
            "The organization's on-demand limit is reached: new sessions are refused. This one "
            "goes on, and what it uses is billed on demand. An owner can raise the limit."
        )
    if kind == NoticeKind.SESSION_LENGTH:
        return _(
            "This session ends at %(when)s: the policy allows none to last longer. You can start "
            "another one then. An owner can change the policy for later sessions."
        ) % (when)
    if kind == NoticeKind.SUBSCRIPTION_ENDING:
        return _(
            "The organization's subscription ends at %(when)s, and every session with it. An owner "
            "can choose a plan."
        ) % (when)
    if kind == NoticeKind.LIMIT_REACHED_AT:
        return _limit(when, ends_session=ends_session)
    return _low(when, ends_session=ends_session)


def _limit(when: dict[str, str], *, ends_session: bool) -> str:
    if ends_session:
        return _(
            "A lower limit of on-demand usage takes effect at %(when)s, and every running session "
            "ends then. An owner can raise it, or buy a top-up."
        ) % (when)
    return _(
        "A lower limit of on-demand usage takes effect at %(when)s: new sessions are refused from "
        "then on. This one goes on. An owner can raise it."
    ) % (when)


def _low(when: dict[str, str], *, ends_session: bool) -> str:
    if ends_session:
        return _(
            "The organization's compute time runs out at about %(when)s if everybody works on, "
            "and every running session ends then. An owner can buy a top-up or raise the limit."
        ) % (when)
    return _(
        "The organization's on-demand limit is reached at about %(when)s if everybody works on: "
        "new sessions are refused from then on. This one goes on. An owner can raise the limit."
    ) % (when)


def before_a_cap(cap: CapAhead, at: datetime) -> str:
    """Whose cap it is, when its sessions end, and who can change it."""
    values = {"when": instant_text(cap.at, at), "team": cap.name}
    if cap.scope == CapScope.TEAM and cap.by_limit:
        return _(
            "A lower cap of the team %(team)s takes effect at %(when)s, and its sessions end "
            "then. An owner can raise it."
        ) % (values)
    if cap.scope == CapScope.TEAM:
        return _(
            "The team %(team)s comes to its cap at about %(when)s if everybody in it works on, and "
            "its sessions end then. An owner can raise it."
        ) % (values)
    if cap.by_limit:
        return _(
            "A lower cap of yours takes effect at %(when)s, and your session ends then. An owner "
            "can raise it."
        ) % (values)
    return _(
        "You come to your own cap at about %(when)s if you work on, and your session ends then. "
        "An owner can raise it."
    ) % (values)


def on_demand_now(since: datetime, at: datetime) -> str:
    return _(
        "What was paid ahead is used up: since %(when)s the organization pays for the time on "
        "demand."
    ) % {"when": instant_text(since, at)}


def policy_changed(session: Session, terms: PolicyTerms | None) -> str:
    """What holds from the next start; None doesn't know. This session keeps what it has."""
    news = _news(session, terms) if terms else []
    if not news:
        return _("The policy has changed; it holds from your next start.")
    return _("The policy has changed. From your next start: %(news)s.") % {"news": "; ".join(news)}


def _news(session: Session, terms: PolicyTerms) -> list[str]:
    """Where a start that asks for nothing special would get other terms than the session has."""
    found = []
    least, most = terms.idle_timeout_least_seconds, terms.idle_timeout_most_seconds
    own = session.person.idle_timeout_seconds
    timeout = own if own is not None and least <= own <= most else terms.idle_timeout_seconds
    if timeout != session.idle_timeout_seconds:
        found.append(
            _("an idle timeout of %(now)s instead of %(before)s")
            % {
                "now": duration_text(timeout),
                "before": duration_text(session.idle_timeout_seconds),
            }
        )
    if terms.longest_session_seconds != session.longest_seconds:
        found.append(
            _("sessions of any length")
            if terms.longest_session_seconds is None
            else _("sessions of at most %(now)s")
            % {"now": duration_text(terms.longest_session_seconds)}
        )
    gpu_lost = session.gpu and not terms.gpu_allowed
    if session.engine_size not in terms.engine_sizes or gpu_lost:
        found.append(_("no engine of the size %(size)s") % {"size": session.engine_size})
    if terms.keep_alive_most_seconds != session.keep_alive_most_seconds:
        found.append(
            _("jobs kept alive for at most %(now)s")
            % {"now": duration_text(terms.keep_alive_most_seconds)}
        )
    missing = [name for name in terms.required_labels if name not in session.labels]
    if missing:
        found.append(_("the labels %(names)s") % {"names": ", ".join(missing)})
    return found
