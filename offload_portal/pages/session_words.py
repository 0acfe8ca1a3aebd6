"""Sentences about a session: what keeps it alive, why it ended, what stopping it loses."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from offload_portal.common.display import duration_text
from sessions.models import Session
from sessions.selectors import Insights, SessionView

ENDED = {
    "stopped": gettext_lazy("Its user stopped it."),
    "stopped_by_owner": gettext_lazy("An owner of the organization stopped it."),
    "allowance_exhausted": gettext_lazy(
        "The organization's compute time was used up, so every running session ended."
    ),
    "cap_reached": gettext_lazy("A cap of its user, or of their team, was reached."),
    "access_revoked": gettext_lazy("Its user lost access to Offload."),
    "subscription_ended": gettext_lazy("The organization's subscription ended or was suspended."),
    "engine_lost": gettext_lazy(
        "The engine was lost. What was billed since it was last seen was given back."
    ),
}
KEPT_ALIVE = {
    "running_containers": gettext_lazy("running containers"),
    "active_builds": gettext_lazy("a running build"),
    "api_calls": gettext_lazy("calls to the Docker API"),
}


def why(
    session: Session, view: SessionView, kept_alive_by: Sequence[str], ended_by: str = ""
) -> str:
    """One sentence: why it is in the state that it is in, and what comes next."""
    if view.state == "starting":
        return _("Waiting for the engine. Without an answer it fails in %(left)s.") % {
            "left": duration_text(view.seconds_until_end)
        }
    if view.state == "active":
        return _active(view, kept_alive_by)
    if view.state == "idle":
        return _("Nothing runs. It ends in %(left)s unless something does.") % {
            "left": duration_text(view.seconds_until_end)
        }
    return why_ended(session, view, ended_by)


def _active(view: SessionView, kept_alive_by: Sequence[str]) -> str:
    """The longest session may end it before it is ever idle."""
    things = _(" and ").join(_keeper(word, view) for word in kept_alive_by)
    idle, end = view.seconds_until_idle or 0, view.seconds_until_end or 0
    sentence = _(
        "Kept alive by %(things)s. Without more activity it is idle in %(idle)s "
        "and ends in %(end)s."
    )
    if end <= idle:
        sentence = _("Kept alive by %(things)s. It ends in %(end)s: no session is longer.")
    return sentence % {
        "things": things or KEPT_ALIVE["api_calls"],
        "idle": duration_text(idle),
        "end": duration_text(end),
    }


def _keeper(word: str, view: SessionView) -> str:
    """What keeps it alive; a job by the label that it declared itself with."""
    if view.keep_alive is not None and word == "keep_alive":
        return _("the job “%(label)s”") % {"label": view.keep_alive.label}
    return str(KEPT_ALIVE[word])


PROMPTS = {
    "inactivity": gettext_lazy("Nothing was typed for a while."),
    "session": gettext_lazy("The session has lasted for long."),
    "daily": gettext_lazy("Much of the day was active time."),
}


def prompt_text(view: SessionView, *, own: bool) -> str:
    """The question that is due, or what its user is asked; empty where none is (rule 13)."""
    prompt = view.prompt
    if prompt is None:
        return ""
    left = max(0, int((prompt.answer_by - view.as_of).total_seconds()))
    sentence = (
        _("%(why)s Without an answer the session is idle in %(left)s.")
        if own
        else _("%(why)s Its user is asked; without an answer the session is idle in %(left)s.")
    )
    return sentence % {"why": PROMPTS[prompt.kind], "left": duration_text(left)}


def why_ended(session: Session, view: SessionView, ended_by: str = "") -> str:
    """`ended_by` is the name of who stopped it, where that is somebody else, or of the cap."""
    if view.end_reason == "cap_reached" and ended_by:
        return _("The cap of %(name)s for this period was reached; an owner can raise it.") % {
            "name": ended_by
        }
    if view.end_reason == "stopped_by_owner" and ended_by:
        return _("%(name)s stopped it, as an owner of the organization.") % {"name": ended_by}
    if view.end_reason == "engine_lost" and view.failure:
        return f"{ENDED['engine_lost']} {view.failure}"
    if view.end_reason == "idle":
        return _("It was idle for %(length)s, so it ended by itself.") % {
            "length": duration_text(session.idle_end_seconds)
        }
    if view.end_reason == "session_length":
        return _("It reached the longest session that the policy allows, %(length)s.") % {
            "length": duration_text(session.longest_seconds)
        }
    if view.end_reason == "failed":
        return view.failure or _("The engine did not answer within %(length)s.") % {
            "length": duration_text(session.start_timeout_seconds)
        }
    return str(ENDED.get(view.end_reason or "", ""))


def losses(insights: Insights) -> list[str]:
    """What goes with the engine when the session is stopped now."""
    running = [run for run in insights.runs if run.exited_at is None]
    found = []
    if running:
        found.append(
            ngettext(
                "%(count)s container that was running when last seen",
                "%(count)s containers that were running when last seen",
                len(running),
            )
            % {"count": len(running)}
        )
    if "active_builds" in insights.kept_alive_by:
        found.append(_("the build that is running"))
    found.append(_("every image and volume on the engine that was not pushed or copied"))
    return found
