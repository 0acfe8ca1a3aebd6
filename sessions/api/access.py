"""Which sessions a caller sees: role and scopes together (product.md rule 2)."""

import uuid
from dataclasses import replace
from typing import Any

from offload_portal.api import throttling
from offload_portal.api.callers import insufficient_scope
from orgs.api.access import OrganizationView, check_has_factor
from orgs.enums import PrivacyMode, Scope
from orgs.models import Membership, Organization, Person
from orgs.services.looks import note_download, note_look
from sessions.filters import SessionFilter
from sessions.models import Session
from sessions.selectors import (
    Reading,
    SessionView,
    filter_for,
    find_own_reading,
    find_own_session,
    find_reading,
    find_session,
    person_with_sessions,
)

NOBODY = uuid.UUID(int=0)
FILTERS = (
    "engine_size",
    "image",
    "label",
    "started_after",
    "started_before",
    "min_duration_seconds",
    "max_duration_seconds",
)


class SessionsAccess(OrganizationView):
    """The `sessions` scope opens one's own sessions; others' take `org:read` or `usage:read`."""

    others_scopes: tuple[str, ...] = (Scope.ORG_READ, Scope.USAGE_READ)

    def found(self, session_id: uuid.UUID) -> tuple[Session, Membership]:
        """The session with its facts; 404 for what is unknown or not the caller's to see."""
        session, membership = find_session(self.person, session_id)
        throttling.count_organization(self.request, session.organization_id)
        self._check_others(session)
        return session, membership

    def _check_others(self, session: Session) -> None:
        """Others' sessions take a scope, and the second factor that the organization asks for.

        One's own go on without: what runs is watched and stopped by whoever started it.
        """
        if session.person_id == self.person.pk:
            return
        if not self.caller.has_any(self.others_scopes):
            raise insufficient_scope(self.others_scopes)
        organization = Organization.objects.get(pk=session.organization_id)
        check_has_factor(organization, self.person)
        note_look(
            actor=self.actor,
            at=self.at,
            organization=organization,
            what="session",
            person_id=session.person_id,
            session_id=session.pk,
        )

    def veiled(self, view: SessionView) -> SessionView:
        """As the caller may see it (`orgs.privacy`)."""
        return view.seen_by(self.request.user.pk)

    def note_list(self, chosen: SessionFilter, what: str) -> None:
        """Keep that the caller looked at, or took, what others did."""
        note = note_download if what.endswith(".csv") else note_look
        for organization in Organization.objects.filter(pk__in=chosen.everyone_in):
            note(actor=self.actor, at=self.at, organization=organization, what=what)

    def reading(self, session_id: uuid.UUID) -> Reading:
        """The same as one statement reads it, where the route needs no more."""
        reading = find_reading(self.person, session_id)
        throttling.count_organization(self.request, reading.session.organization_id)
        self._check_others(reading.session)
        return reading

    def reading_anew(self, session_id: uuid.UUID) -> Reading:
        """The session for a request that was counted already and asks again after waiting."""
        self.authenticate_anew()
        reading = find_reading(self.person, session_id)
        self._check_others(reading.session)
        return reading

    def own_reading(self, session_id: uuid.UUID) -> Reading:
        """The caller's own session; 404 for all others'."""
        reading = find_own_reading(self.person, session_id)
        throttling.count_organization(self.request, reading.session.organization_id)
        return reading

    def own(self, session_id: uuid.UUID) -> Session:
        """The caller's own session; 404 for all others'."""
        session = find_own_session(self.person, session_id)
        throttling.count_organization(self.request, session.organization_id)
        return session

    def chosen(self, slug: str | None) -> SessionFilter:
        """The filter of the query within what the caller sees."""
        return narrowed(self._seen(slug), self.query, self.request.user.pk)

    def _seen(self, slug: str | None) -> SessionFilter:
        organization: Organization | None = self.caller.organization
        if slug is not None:
            organization = self.place(slug).organization
        if not isinstance(self.request.user, Person):
            whole = frozenset([organization.pk]) if organization else frozenset()
            return SessionFilter(person=NOBODY, organizations=whole, everyone_in=whole)
        seen = filter_for(self.person, organization.pk if organization else None)
        if not self.caller.has_any(self.others_scopes):
            seen = replace(seen, everyone_in=frozenset())
        return seen


def narrowed(seen: SessionFilter, query: dict[str, Any], me: uuid.UUID | None) -> SessionFilter:
    """`seen` with the query's filters; they only ever take away."""
    values: dict[str, Any] = {name: query[name] for name in FILTERS if name in query}
    if "state" in query:
        values["states"] = frozenset(query["state"])
    if "team" in query:
        values["team"] = query["team"]
    if "user" in query:
        seen = _of_user(seen, query["user"], me)
    return replace(seen, **values)


def _of_user(seen: SessionFilter, text: str, me: uuid.UUID | None) -> SessionFilter:
    """Of whoever the text names; a code does where insights are pseudonymous, and no address."""
    veiled = Organization.objects.filter(pk__in=seen.everyone_in).exclude(privacy=PrivacyMode.NAMED)
    places = [] if text == "me" else list(veiled)
    named = seen.everyone_in - {place.pk for place in places}
    for place in places:
        person = person_with_sessions(place, text, me)
        if person is not None:
            own = frozenset([place.pk])
            return replace(seen, people=frozenset([person]), organizations=own, everyone_in=own)
    return replace(seen, people=_people(text, me), everyone_in=named)


def _people(text: str, me: uuid.UUID | None) -> frozenset[uuid.UUID]:
    if text == "me":
        return frozenset([me]) if me else frozenset()
    if "@" in text:
        rows = Person.objects.filter(email=text.lower())
        return frozenset(rows.values_list("pk", flat=True))
    try:
        return frozenset([uuid.UUID(text)])
    except ValueError:
        return frozenset()
