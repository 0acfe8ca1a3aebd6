"""Finding sessions: one, or a page of them."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.expressions import RawSQL

from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import not_found
from orgs.enums import PrivacyMode, sees_everything
from orgs.models import Membership, Organization, Person
from orgs.privacy import is_veiled, pseudonym_of
from orgs.selectors.second_factor import has_second_factor
from sessions import clock
from sessions.filters import SessionFilter
from sessions.models import Session
from sessions.models.session import BESIDE, SessionQuerySet, policy_mark
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.reading import Reading, read_session
from sessions.selectors.views import SessionView, views_of

NOBODY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A session's place in lists: running ones first, then newest (api.md)."""

    running: bool
    created_at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class SessionPage:
    rows: tuple[SessionView, ...]
    first: SessionKey | None
    last: SessionKey | None
    has_next: bool
    has_previous: bool


def find_session(person: Person, session_id: uuid.UUID) -> tuple[Session, Membership]:
    """The session and the asker's membership; 404 unless it is theirs to see (rule 2)."""
    # Its stretches are read only where somebody looks at them.
    session = Session.objects.with_notices().filter(pk=session_id).first()
    if session is None:
        raise not_found()
    membership = Membership.objects.filter(
        organization=session.organization_id, person=person
    ).first()
    if membership is None:
        raise not_found()
    if not _may_see(membership, session):
        raise not_found()
    return session, membership


def find_session_in(membership: Membership, session_id: uuid.UUID) -> Session:
    """The same in the organization of a page that has let the member in. One statement."""
    session = (
        Session.objects.with_notices()
        .filter(pk=session_id, organization=membership.organization_id)
        .first()
    )
    if session is None or not _may_see(membership, session):
        raise not_found()
    return session


def _may_see(membership: Membership, session: Session) -> bool:
    own = session.person_id == membership.person_id
    return own or _lists_others(membership.role, session.organization.privacy)


def _lists_others(role: str, privacy: str) -> bool:
    """Whether somebody with the role sees sessions of others one by one."""
    return sees_everything(role) and privacy != PrivacyMode.AGGREGATE


def person_with_sessions(
    organization: Organization, text: str, viewer_id: uuid.UUID | None
) -> uuid.UUID | None:
    """Who has the address and belongs to the organization, or did and left sessions there.

    Where insights don't name people their code is asked for, and an address finds oneself alone.
    """
    belongs = Q(memberships__organization=organization)
    left = Q(offload_sessions__organization=organization)
    people = Person.objects.filter(belongs | left).order_by("pk").distinct()
    if organization.privacy == PrivacyMode.NAMED or "@" in text:
        found = people.filter(email__iexact=text).values_list("pk", flat=True).first()
        veiled = found is not None and is_veiled(organization.privacy, found, viewer_id)
        return None if veiled else found
    wanted = text.strip().upper().rpartition(" ")[2]
    for key in people.values_list("pk", flat=True):
        if wanted in code_or_id(organization, key):
            return key
    return None


def code_or_id(organization: Organization, person_id: uuid.UUID) -> tuple[str, str]:
    one = pseudonym_of(organization.pk, person_id)
    return one.code, str(one.id).upper()


def find_own_session(person: Person, session_id: uuid.UUID) -> Session:
    """The person's own session while they belong to its organization; else 404. One statement."""
    session = (
        Session.objects.filter(pk=session_id, person=person)
        .filter(organization__memberships__person=person)
        .first()
    )
    if session is None:
        raise not_found()
    return session


def find_reading(person: Person, session_id: uuid.UUID) -> Reading:
    """The session whole; 404 unless it is the person's to see (rule 2). One statement."""
    reading = read_session(session_id, person.pk)
    if reading is None or reading.role is None:
        raise not_found()
    mode = reading.session.organization.privacy
    if reading.session.person_id != person.pk and not _lists_others(reading.role, mode):
        raise not_found()
    return reading


def find_own_reading(person: Person, session_id: uuid.UUID) -> Reading:
    """The person's own session while they belong to its organization; else 404. One statement."""
    reading = read_session(session_id, person.pk)
    if reading is None or reading.role is None or reading.session.person_id != person.pk:
        raise not_found()
    return reading


def session_view(session: Session, at: datetime) -> SessionView:
    return views_of([session], at)[0]


def view_by_id(session_id: uuid.UUID, at: datetime) -> SessionView:
    """A fresh view of a session that is known to exist. One statement."""
    reading = read_session(session_id, NOBODY)
    if reading is None:
        raise not_found()
    return reading.view(at)


def filter_for(person: Person, organization_id: uuid.UUID | None = None) -> SessionFilter:
    """Everything that the person may see, in one organization or in all of theirs.

    Only their own where the organization asks for a second factor that they lack.
    """
    rows = Membership.objects.filter(person=person).select_related("organization").order_by("id")
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    memberships = list(rows)
    everyone = _everyone_in(person, memberships)
    aggregate = frozenset(
        row.organization_id
        for row in memberships
        if row.organization.privacy == PrivacyMode.AGGREGATE
    )
    return SessionFilter(
        person=person.pk,
        organizations=frozenset(row.organization_id for row in memberships),
        everyone_in=everyone - aggregate,
        summed_in=everyone & aggregate,
    )


def filter_in(membership: Membership) -> SessionFilter:
    """The same in one organization whose page has let the member in. No statement.

    The membership was read with its organization.
    """
    own = frozenset([membership.organization_id])
    everyone = own if membership.sees_everything else frozenset()
    in_aggregate = membership.organization.privacy == PrivacyMode.AGGREGATE
    return SessionFilter(
        person=membership.person_id,
        organizations=own,
        everyone_in=frozenset() if in_aggregate else everyone,
        summed_in=everyone if in_aggregate else frozenset(),
    )


def _everyone_in(person: Person, memberships: Sequence[Membership]) -> frozenset[uuid.UUID]:
    """Organizations in which the person sees what everyone did, in one form or another."""
    asked = any(row.organization.requires_second_factor for row in memberships)
    lacks = asked and not has_second_factor(person)
    return frozenset(
        row.organization_id
        for row in memberships
        if row.sees_everything and not (lacks and row.organization.requires_second_factor)
    )


def filtered(chosen: SessionFilter, at: datetime) -> SessionQuerySet:
    """The sessions that the filter lets through, as of the instant."""
    sessions = chosen.apply(Session.objects.all(), at)
    if not chosen.states:
        return sessions
    by_clock = _running_in(chosen, sessions, at)
    return sessions.filter(chosen.written_states() | Q(pk__in=by_clock))


def _running_in(
    chosen: SessionFilter, sessions: QuerySet[Session], at: datetime
) -> list[uuid.UUID]:
    """Sessions without a written end that the clock sees in one of the states."""
    unwritten = list(
        sessions.filter(ended_at=None).select_related("pulse").prefetch_related("stretches")
    )
    ends = ends_from_below(unwritten)
    found = []
    for session in unwritten:
        moment = clock.state_at(facts_of(session, ends.get(session.id, ())), to_seconds(at))
        if str(moment.state) in chosen.states:
            found.append(session.id)
    return found


MOST_SETTLED = 20


def ended_in_second(chosen: SessionFilter, at: datetime) -> tuple[uuid.UUID, ...]:
    """Those that have ended by now in the second of the instant, at most MOST_SETTLED.

    A first page hands them on: one that ends later in its second still counts as running there.
    """
    rows = chosen.apply(Session.objects.filter(ended_at=at), at)
    return tuple(rows.order_by("id").values_list("pk", flat=True)[:MOST_SETTLED])


def _ran(as_of: datetime, settled: Collection[uuid.UUID] | None) -> Q:
    """Which ran when the first page was read.

    A session that ends between two pages keeps its place, so that it is neither lost nor
    shown twice, also within the second of the first page where `settled` is known.
    """
    ran = Q(ended_at=None) | Q(ended_at__gt=as_of)
    if settled is not None:
        ran |= Q(ended_at=as_of) & ~Q(pk__in=settled)
    return ran


def _over(as_of: datetime, settled: Collection[uuid.UUID] | None) -> Q:
    """Which did not: the others."""
    if settled is None:
        return Q(ended_at__lte=as_of)
    return Q(ended_at__lt=as_of) | Q(ended_at=as_of, pk__in=settled)


def _halves(
    sessions: QuerySet[Session],
    as_of: datetime,
    settled: Collection[uuid.UUID] | None,
    key: SessionKey | None,
    *,
    backwards: bool,
) -> list[QuerySet[Session]]:
    """Those that ran and those that were over, each in order from the key on, the nearer first.

    Apart, each is read by an index from where the page begins; sorted together, all would be read.
    """
    known = sessions.filter(created_at__lte=as_of)
    ran, over = known.filter(_ran(as_of, settled)), known.filter(_over(as_of, settled))
    sign = "" if backwards else "-"
    halves = [half.order_by(f"{sign}created_at", f"{sign}id") for half in (ran, over)]
    if backwards:
        halves.reverse()
    if key is None:
        return halves
    near = 0 if key.running != backwards else 1
    if near == 1:  # the key lies in the last half, so the other one is behind
        return [halves[1].filter(_beyond(key, backwards=backwards))]
    return [halves[0].filter(_beyond(key, backwards=backwards)), halves[1]]


def _first_of(halves: Sequence[QuerySet[Session]], count: int) -> RawSQL | tuple[()]:
    """The identifiers of so many of each."""
    texts: list[str] = []
    values: list[Any] = []
    for half in halves:
        try:
            text, given = half.values("id")[:count].query.sql_with_params()
        except EmptyResultSet:  # no row can be of nobody
            continue
        texts.append(f"SELECT half.id FROM ({text}) AS half")  # noqa: S608 - the ORM's own text
        values.extend(given)
    return RawSQL(" UNION ALL ".join(texts), values) if texts else ()  # noqa: S611 - the same


def session_page(
    chosen: SessionFilter,
    *,
    at: datetime,
    as_of: datetime,
    key: SessionKey | None = None,
    settled: Collection[uuid.UUID] | None = None,
    backwards: bool = False,
    size: int = 30,
) -> SessionPage:
    """A page after `key`, or before it; `as_of` is when the first page was read.

    `settled` are those that had ended in that second by then (`ended_in_second`).
    """
    halves = _halves(filtered(chosen, at), as_of, settled, key, backwards=backwards)
    sign = "" if backwards else "-"
    order = [f"{sign}{name}" for name in ("was_running", "created_at", "id")]
    ran = ExpressionWrapper(_ran(as_of, settled), output_field=BooleanField())
    found = list(
        Session.objects.filter(pk__in=_first_of(halves, size + 1))
        .annotate(was_running=ran)
        .order_by(*order)
        .select_related("pulse", *BESIDE)
        .annotate(policy_mark=policy_mark())
        .prefetch_related("stretches")[: size + 1]
    )
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    keys = [SessionKey(row.was_running, row.created_at, row.id) for row in found]  # type: ignore[attr-defined]  # annotated above
    return SessionPage(
        rows=tuple(views_of(found, at)),
        first=keys[0] if keys else None,
        last=keys[-1] if keys else None,
        has_next=more if not backwards else key is not None,
        has_previous=more if backwards else key is not None,
    )


def _beyond(key: SessionKey, *, backwards: bool) -> Q:
    """Within the key's half."""
    word = "gt" if backwards else "lt"
    later = Q(**{f"created_at__{word}": key.created_at})
    tie = Q(created_at=key.created_at) & Q(**{f"id__{word}": key.id})
    # Said once more without an alternative, for the index.
    return Q(**{f"created_at__{word}e": key.created_at}) & (later | tie)
