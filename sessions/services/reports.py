"""Reports that come regularly: asked for, sent once for each week or month, ended."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.periods import Period, day_start
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import Event, NewsKind
from orgs.models import Membership, Person
from orgs.services import audit
from orgs.services.looks import note_download
from orgs.services.news import notify
from orgs.zones import zone_or_utc
from sessions.enums import ReportAudience, ReportFrequency
from sessions.models import ScheduledReport

MOST_REPORTS = 20
# Of the day after the period: when people come to work, and late figures are in the book.
HOUR_OF_SENDING = 7
MOST_QUERY_LETTERS = 1_000

Written = Callable[[Membership], Mapping[str, Any]]


def schedule_report(
    *,
    actor: Actor,
    at: datetime,
    membership: Membership,
    frequency: str,
    audience: str,
    query: str,
    about: uuid.UUID | None,
    zone: ZoneInfo,
) -> ScheduledReport:
    """Ask for a report. Only who sees everything may let everyone who does get it, too.

    The membership was read with its organization. Refuses the twenty-first of one person.
    """
    if audience == ReportAudience.SEERS and not membership.sees_everything:
        sentence = _("You see your own sessions; a report of them comes to you alone.")
        raise Refusal("not_an_editor", sentence, 403)
    own = ScheduledReport.objects.filter(
        organization=membership.organization_id, person=membership.person_id
    )
    with transaction.atomic():
        Membership.objects.select_for_update().get(pk=membership.pk)
        if own.count() >= MOST_REPORTS:
            sentence = _("You have %(count)s reports here already. End one first.")
            raise Refusal("too_many_reports", sentence % {"count": MOST_REPORTS}, 409)
        made = ScheduledReport.objects.create(
            organization=membership.organization,
            person_id=membership.person_id,
            about_id=about,
            frequency=frequency,
            audience=audience,
            query=query[:MOST_QUERY_LETTERS],
            zone=str(zone),
            created_at=at,
            next_at=next_sending(frequency, zone, at),
        )
        _record(Event.REPORT_SCHEDULED, actor, at, made)
    return made


def end_report(*, actor: Actor, at: datetime, membership: Membership, report_id: uuid.UUID) -> None:
    """One's own, or as an owner anybody's; 404 for all others."""
    rows = ScheduledReport.objects.filter(organization=membership.organization_id, pk=report_id)
    if not membership.is_owner:
        rows = rows.filter(person=membership.person_id)
    with transaction.atomic():
        report = rows.select_for_update().first()
        if report is None:
            raise not_found()
        _record(Event.REPORT_ENDED, actor, at, report)
        report.delete()


def due_reports(at: datetime, *, most: int) -> list[ScheduledReport]:
    rows = ScheduledReport.objects.due(at).select_related("organization")
    return list(rows[:most])


def send_report(*, at: datetime, report: ScheduledReport, write: Written) -> int:
    """Tell everyone who gets it, once; how many. `write` gives the facts for one of them.

    Nothing is written in the transaction that could be written before it; whoever comes second
    finds it sent. A report whose person is no member any more ends.
    """
    readers = readers_of(report)
    facts = {reader.person_id: write(reader) for reader in readers}
    with transaction.atomic():
        mine = ScheduledReport.objects.filter(pk=report.pk, next_at=report.next_at)
        if not readers:
            mine.delete()
            return 0
        following = next_sending(report.frequency, zone_or_utc(report.zone), at)
        if not mine.update(next_at=following, sent_at=at):
            return 0
        _tell(report, at, [reader.person for reader in readers], facts)
        for reader in readers:
            _note(report, reader, at)
    return len(readers)


def _tell(
    report: ScheduledReport,
    at: datetime,
    people: Sequence[Person],
    facts: Mapping[uuid.UUID, Mapping[str, Any]],
) -> None:
    notify(
        kind=NewsKind.ACTIVITY_REPORT,
        at=at,
        organization=report.organization,
        people=people,
        context=lambda person: facts[person.pk],
        in_portal={"pictures": [], "tables": []},
    )


def _note(report: ScheduledReport, reader: Membership, at: datetime) -> None:
    """A report that shows what named people did is a look at it."""
    if reader.sees_everything:
        note_download(
            actor=Actor(reader.person_id, "report"),
            at=at,
            organization=report.organization,
            what="report",
            person_id=report.about_id,
        )


def readers_of(report: ScheduledReport) -> list[Membership]:
    """Whoever gets it, with person and organization; nobody once its person has left."""
    members = Membership.objects.filter(organization=report.organization_id)
    own = members.filter(person=report.person_id, person__is_active=True)
    asker = own.select_related("person", "organization").first()
    if asker is None or report.organization.deleted_at is not None:
        return []
    if report.audience == ReportAudience.ME or not asker.sees_everything:
        return [asker]
    rows = members.filter(person__is_active=True).select_related("person", "organization")
    return [row for row in rows.order_by("joined_at", "id") if row.sees_everything]


def report_period(frequency: str, zone: ZoneInfo, at: datetime) -> Period:
    """The last whole week, Monday to Sunday, or calendar month of the zone before the instant."""
    first = _first_day(frequency, zone, at)
    before = _day_before(frequency, first)
    return Period(day_start(zone, before), day_start(zone, first))


def next_sending(frequency: str, zone: ZoneInfo, at: datetime) -> datetime:
    """When the report of the period that is under way goes out: always after the instant."""
    first = _first_day(frequency, zone, at)
    here = day_start(zone, first) + timedelta(hours=HOUR_OF_SENDING)
    if here > at:
        return here
    return day_start(zone, _day_after(frequency, first)) + timedelta(hours=HOUR_OF_SENDING)


def _first_day(frequency: str, zone: ZoneInfo, at: datetime) -> date:
    """The first day of the week or month that is under way."""
    today = at.astimezone(zone).date()
    if frequency == ReportFrequency.WEEKLY:
        return today - timedelta(days=today.weekday())
    return today.replace(day=1)


def _day_before(frequency: str, first: date) -> date:
    if frequency == ReportFrequency.WEEKLY:
        return first - timedelta(days=7)
    return (first - timedelta(days=1)).replace(day=1)


def _day_after(frequency: str, first: date) -> date:
    if frequency == ReportFrequency.WEEKLY:
        return first + timedelta(days=7)
    return (first + timedelta(days=31)).replace(day=1)


def _record(event: Event, actor: Actor, at: datetime, report: ScheduledReport) -> None:
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=report.organization_id,
        subject=("report", report.pk),
        after={
            "frequency": report.frequency,
            "audience": report.audience,
            **({"person": str(report.about_id)} if report.about_id else {}),
        },
    )
