"""What activity reports and answers to prompts write (product.md rules 8 to 14).

A report never meters. It holds the organization's lock together with other reports, so that
the watermark stands still while it is recorded with the later of its instant and the watermark.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.locks import lock_together
from offload_portal.common.periods import from_seconds, to_seconds
from offload_portal.common.refusals import Refusal, not_found
from orgs.selectors import contacts
from sessions import clock
from sessions.models import Pulse, Session, Stretch
from sessions.policies import can_keep_alive, check_can_keep_alive
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.services.keeping import (
    BuildSeen,
    ContainerSeen,
    SampleSeen,
    keep_builds,
    keep_runs,
    keep_samples,
)
from usage.models import Allowance

LONGEST_BETWEEN_REPORTS = 60


@dataclass(frozen=True, slots=True)
class ActivityReport:
    """What was seen since the last report. `sequence` rises; a repeated one changes nothing.

    The portal's own watcher has none: whatever it says twice is the same.
    """

    sequence: int | None
    running_containers: int = 0
    active_builds: int = 0
    api_calls: int = 0
    containers: tuple[ContainerSeen, ...] = ()
    samples: tuple[SampleSeen, ...] = ()
    builds: tuple[BuildSeen, ...] = ()

    @property
    def has_rows(self) -> bool:
        """Whether more is kept of it than the session's narrow row."""
        return bool(self.containers or self.samples or self.builds)

    @property
    def running(self) -> bool:
        return self.running_containers > 0 or self.active_builds > 0


def next_report_seconds(session: Session) -> int:
    """When the client reports again: at most a third of the idle timeout."""
    return max(1, min(LONGEST_BETWEEN_REPORTS, session.idle_timeout_seconds // 3))


def report(*, actor: Actor, at: datetime, session: Session, report: ActivityReport) -> None:
    """Record a report received at `at` from the session's user."""
    if actor.id != session.person_id:
        raise not_found()
    with transaction.atomic():
        fresh, facts, at = _locked(session, at)
        if report.sequence is not None and report.sequence <= fresh.pulse.sequence:
            return
        reaction = clock.report(
            facts, to_seconds(at), calls=report.api_calls > 0, running=report.running
        )
        _refuse(reaction)
        _write(fresh, reaction, report)
        keep_runs(fresh, report.containers)
        keep_builds(fresh, report.builds)
        keep_samples(fresh, report.samples, at)


def answer_prompt(
    *, actor: Actor, at: datetime, session: Session, answer: Literal["stay", "idle"]
) -> None:
    """Record what the developer answered to the prompt that is due (rule 13)."""
    if actor.id != session.person_id:
        raise not_found()
    with transaction.atomic():
        fresh, facts, at = _locked(session, at)
        reaction = clock.answer(facts, to_seconds(at), answer)
        _refuse(reaction)
        _write(fresh, reaction, None)


def keep_alive(
    *, actor: Actor, at: datetime, session: Session, label: str, until: datetime
) -> None:
    """A job declares itself alive until `until`: until then the session does not fall idle.

    As far ahead as the policy allowed when the session started (rules 6 and 14); the longest
    session holds all the same.
    Declaring again takes the place of what was declared before; an instant that has passed takes
    it back.
    """
    if actor.id != session.person_id:
        raise not_found()
    with transaction.atomic():
        fresh, facts, at = _locked(session, at)
        _check_until(fresh, at, until)
        reaction = clock.keep_alive(facts, to_seconds(at), to_seconds(until))
        _refuse(reaction)
        if reaction.kind == clock.ReactionKind.NOTHING:
            sentence = _("A prompt made the session idle; a Docker API call resumes it.")
            raise Refusal("idle_by_prompt", sentence, 409)
        _write(fresh, reaction, None)
        Pulse.objects.filter(pk=session.pk).update(kept_label=label)


def _check_until(session: Session, at: datetime, until: datetime) -> None:
    most, ahead = session.keep_alive_most_seconds, to_seconds(until) - to_seconds(at)
    if not can_keep_alive(most, ahead):
        # Whom to ask is read only once somebody has to be told.
        check_can_keep_alive(most, ahead, contacts(session.organization))


def _locked(session: Session, at: datetime) -> tuple[Session, clock.Facts, datetime]:
    """The session as it is now, its rows held, and the instant that the fact is recorded with."""
    lock_together(session.organization_id)
    watermark = Allowance.objects.filter(organization_id=OuterRef("organization_id"))
    fresh = (
        Session.objects.with_facts()
        # Each has a pulse; said here, the join is one that can be locked.
        .filter(pulse__isnull=False)
        .select_for_update(of=("self", "pulse"))
        .annotate(metered_until=Subquery(watermark.values("metered_until")))
        .get(pk=session.pk)
    )
    mark = fresh.metered_until  # type: ignore[attr-defined]  # annotated above
    ends = ends_from_below([fresh], {fresh.organization_id: to_seconds(mark)})
    return fresh, facts_of(fresh, ends.get(fresh.id, ())), max(at, mark)


def _refuse(reaction: clock.Reaction) -> None:
    if reaction.kind == clock.ReactionKind.REFUSED_ENDED:
        end = reaction.end
        extra = {"end_reason": str(end.reason), "ended_at": _zulu(end.at)} if end else {}
        raise Refusal("session_ended", _("The session has ended; start a new one."), 410, extra)
    if reaction.kind == clock.ReactionKind.REFUSED_NOT_READY:
        sentence = _("The engine does not answer yet; report once the session is ready.")
        raise Refusal("session_not_ready", sentence, 409)
    if reaction.kind == clock.ReactionKind.REFUSED_NO_PROMPT:
        raise Refusal("no_prompt_due", _("No prompt is due, so there is nothing to answer."), 409)


def _zulu(seconds: int) -> str:
    return from_seconds(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_seconds(seconds)


def _write(session: Session, reaction: clock.Reaction, seen: ActivityReport | None) -> None:
    """One narrow row; only what resumes an idle session writes more."""
    stretch = reaction.facts.open
    values: dict[str, object] = {}
    if stretch is not None:
        values = {
            "started_at": from_seconds(stretch.started_at),
            "last_activity_at": from_seconds(stretch.last_activity_at),
            "last_call_at": from_seconds(stretch.last_call_at),
            "idled_at": _instant(stretch.idled_at),
            "kept_until": _instant(stretch.kept_until),
        }
    if seen is not None:
        values |= {
            "sequence": session.pulse.sequence if seen.sequence is None else seen.sequence,
            "running_containers": seen.running_containers,
            "active_builds": seen.active_builds,
        }
    Pulse.objects.filter(pk=session.pk).update(**values)
    if reaction.closed is not None:
        Stretch.objects.create(
            organization_id=session.organization_id,
            session=session,
            started_at=from_seconds(reaction.closed.started_at),
            idle_at=from_seconds(reaction.closed.idle_at),
        )
    if (
        reaction.kind not in (clock.ReactionKind.EXTENDS, clock.ReactionKind.NOTHING)
        or seen is None
    ):
        Session.objects.filter(pk=session.pk).update(version=F("version") + 1)
