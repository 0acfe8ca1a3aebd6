"""By what use can be told apart: each way names a column and what its values mean to a reader."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Value
from django.utils.translation import gettext as _

from orgs.models import Organization, Person, TeamMember
from orgs.privacy import is_veiled, pseudonym_of
from usage.enums import EntrySource

# Somebody may be in several teams; counting them in each would charge their time twice.
SEVERAL = "several"
Meanings = Mapping[Any, tuple[str, str]]
Viewer = uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Grouping:
    """`column` is of a ledger entry; `meanings` gives each value's group and its label, as the
    viewer may see them (`orgs.privacy`).

    Values with the same group are added up, so all of a session's use must have one value.
    """

    name: str
    column: Any
    meanings: Callable[[Organization, Iterable[Any], Viewer], Meanings]
    is_key: bool = False  # the column holds identifiers


def _nothing(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> Meanings:
    return dict.fromkeys(values, ("", ""))


def _as_it_is(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> Meanings:
    return {value: (str(value), str(value)) for value in values}


def _source(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> Meanings:
    return {value: (value, str(EntrySource(value).label)) for value in values}


def _member(
    organization: Organization, values: Iterable[Any], viewer: uuid.UUID | None
) -> Meanings:
    keys = [key for key in values if not is_veiled(organization.privacy, key, viewer)]
    veiled = {key: pseudonym_of(organization.pk, key) for key in set(values) - set(keys)}
    people = Person.objects.filter(pk__in=keys).values_list("pk", "name", "email")
    names = {key: name or email for key, name, email in people.order_by("pk")}
    known = {key: (str(key), names.get(key) or _("Somebody who is gone")) for key in keys}
    return known | {key: (str(one.id), one.name) for key, one in veiled.items()}


def _team(organization: Organization, values: Iterable[Any], viewer: Viewer) -> Meanings:
    """The team that each person is in now."""
    rows = TeamMember.objects.filter(organization=organization).order_by("team__name", "id")
    teams: dict[uuid.UUID, list[tuple[str, str]]] = defaultdict(list)
    for person, team, name in rows.values_list("person_id", "team_id", "team__name"):
        teams[person].append((str(team), name))
    return {value: _of_teams(teams.get(value, [])) for value in values}


def _of_teams(teams: list[tuple[str, str]]) -> tuple[str, str]:
    if not teams:
        return "", _("In no team")
    return teams[0] if len(teams) == 1 else (SEVERAL, _("In several teams"))


NOT_GROUPED = Grouping("none", Value(""), _nothing)
BY_MEMBER = Grouping("member", F("person_id"), _member, is_key=True)
BY_TEAM = Grouping("team", F("person_id"), _team, is_key=True)
BY_ENGINE_SIZE = Grouping("engine_size", F("engine_size"), _as_it_is)
BY_SOURCE = Grouping("source", F("source"), _source)
