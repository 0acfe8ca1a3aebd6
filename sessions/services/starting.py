"""Starting a session (product.md rules 8, 19 and 26)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import Organization, Person
from orgs.selectors import PolicyTerms, contacts, policy_of, standing_to_start
from orgs.services import audit
from sessions import clock
from sessions.models import Pulse, Session, SessionTeam
from sessions.policies import (
    StartQuestion,
    Wish,
    can_start,
    can_start_within,
    check_can_start,
    check_caps,
    no_room,
)
from sessions.selectors.caps import Teams, cap_rooms, teams_of
from sessions.selectors.facts import facts_of
from sessions.services import places
from sessions.services.keys import make_keys
from sessions.services.metering import Metering, meter_organization
from usage.rates import DEFAULT_SIZES, EngineSize
from usage.selectors import subscription_of
from usage.selectors.room import CapRoom, Room, room
from usage.services import metering


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a client asks for; None leaves it to the policy."""

    engine_size: str | None = None
    gpu: bool = False
    idle_timeout_seconds: int | None = None
    labels: Mapping[str, str] | None = None
    client: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StartPreview:
    """What a start would do now. `affordable_seconds` is None without a limit.

    `source` pays its first second; the rate is micro-dollars per second of this engine size,
    0 while the time was paid ahead.
    """

    engine_size: str
    multiplier: int
    idle_timeout_seconds: int
    source: str
    rate_microusd_per_second: int
    affordable_seconds: int | None


def start(
    *, actor: Actor, at: datetime, person: Person, organization: Organization, request: StartRequest
) -> Session:
    """Start a session, or raise the first refusal of rule 26 in its order.

    The organization is metered to the instant first; then a guarded update reserves a minute.
    """
    try:
        with transaction.atomic():
            return _start(actor, at, person, organization, request)
    except places.NoPlaceError:
        refusal = places.queue_up(at=at, organization=organization, person=person)
    raise refusal


def _start(
    actor: Actor, at: datetime, person: Person, organization: Organization, request: StartRequest
) -> Session:
    metered, policy, wish = _checked(at, person, organization, request)
    at = metered.until
    needed = settings.RESERVE_SECONDS * wish.size.multiplier
    if not metering.reserve(organization.pk, needed):
        raise no_room(room(organization.pk), needed, contacts(organization), organization.slug)
    teams = teams_of(organization, person.pk)
    _check_caps(organization, _cap_rooms(organization, metered, person, teams), needed)
    provider = places.provider_now(at)
    if provider != places.EXTERNAL:
        places.claim(at=at, organization=organization, person=person)
    session = _create(at, person, organization, policy, wish, request, needed, provider)
    _note_teams(session, teams)
    audit.record(
        event=Event.SESSION_STARTED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("session", session.id),
        after={"person": str(person.pk), "engine_size": session.engine_size},
    )
    return session


def preview_start(
    *, at: datetime, person: Person, organization: Organization, request: StartRequest
) -> StartPreview:
    """What would happen now: the refusal, or what it costs and how long it lasts."""
    with transaction.atomic():
        metered, _policy, wish = _checked(at, person, organization, request)
        needed = settings.RESERVE_SECONDS * wish.size.multiplier
        there = room(organization.pk)
        if not there.has(needed):
            raise no_room(there, needed, contacts(organization), organization.slug)
        teams = teams_of(organization, person.pk)
        rooms = _cap_rooms(organization, metered, person, teams)
        _check_caps(organization, rooms, needed)
        source, rate = metering.next_source(organization.pk, metered.until)
    return StartPreview(
        engine_size=wish.size.name,
        multiplier=wish.size.multiplier,
        idle_timeout_seconds=wish.idle_timeout_seconds,
        source=source,
        rate_microusd_per_second=rate * wish.size.multiplier,
        affordable_seconds=_affordable(there, rooms, wish.size.multiplier),
    )


def _affordable(there: Room, rooms: Sequence[CapRoom], multiplier: int) -> int | None:
    """Wall seconds of one engine that the organization and the tightest cap leave."""
    bounds = [cap.free for cap in rooms]
    if there.left is not None:
        bounds.append(there.left - there.reserved)
    return min(bounds) // multiplier if bounds else None


def _cap_rooms(
    organization: Organization, metered: Metering, person: Person, teams: Teams
) -> list[CapRoom]:
    resets_at = metered.allowance.period_end if metered.allowance else None
    return cap_rooms(organization, metered.caps, person.pk, teams, resets_at)


def _check_caps(organization: Organization, rooms: Sequence[CapRoom], needed: int) -> None:
    """The organization is locked from its metering on, so nobody starts in between."""
    if not can_start_within(rooms, needed):
        # Whom to ask is read only once somebody has to be told.
        check_caps(rooms, needed, contacts(organization), organization.slug)


def _note_teams(session: Session, teams: Teams) -> None:
    """For whose caps it counts from its start to its end, whoever joins or leaves meanwhile."""
    SessionTeam.objects.bulk_create(
        SessionTeam(organization_id=session.organization_id, team_id=team, session=session)
        for team in sorted(teams)
    )


def _checked(
    at: datetime, person: Person, organization: Organization, request: StartRequest
) -> tuple[Metering, PolicyTerms, Wish]:
    policy = policy_of(organization, person, at).terms
    wish = _wish(request, policy, person)
    metered = meter_organization(organization_id=organization.pk, at=at)
    at = metered.until
    if metered.allowance is not None:
        # So that its answer knows the notices there are without reading it again.
        organization.allowance = metered.allowance
    subscription = subscription_of(organization)
    question = StartQuestion(
        subscription=subscription.state if subscription else None,
        policy=policy,
        standing=standing_to_start(organization, person, at),
        wish=wish,
        running=metered.running.count(person.pk),
        contacts=(),
        slug=organization.slug,
    )
    if not can_start(question):
        # Whom to ask is read only once somebody has to be told.
        check_can_start(replace(question, contacts=contacts(organization)))
    return metered, policy, wish


def _wish(request: StartRequest, policy: PolicyTerms, person: Person) -> Wish:
    timeout = request.idle_timeout_seconds
    if timeout is None:
        timeout = _own_timeout(policy, person)
    return Wish(
        size=_size(request, policy),
        gpu=request.gpu,
        idle_timeout_seconds=timeout,
        labels=frozenset(request.labels or ()),
    )


def _own_timeout(policy: PolicyTerms, person: Person) -> int:
    """The person's preference where the policy allows it, else the policy's default."""
    own = person.idle_timeout_seconds
    least, most = policy.idle_timeout_least_seconds, policy.idle_timeout_most_seconds
    if own is not None and least <= own <= most:
        return own
    return policy.idle_timeout_seconds


def _size(request: StartRequest, policy: PolicyTerms) -> EngineSize:
    """The size that was named; any GPU means the smallest allowed size that has one."""
    sizes = {size.name: size for size in DEFAULT_SIZES}
    if request.engine_size is None and request.gpu:
        with_gpu = [size for size in DEFAULT_SIZES if size.gpus]
        allowed = [size for size in with_gpu if size.name in policy.engine_sizes]
        return min(allowed or with_gpu, key=lambda size: (size.multiplier, size.name))
    name = request.engine_size or "standard"
    if name not in sizes:
        sentence = _("There is no engine size %(name)s; choose one of %(known)s.") % {
            "name": name,
            "known": ", ".join(sizes),
        }
        raise Refusal("invalid", sentence, 400, errors={"engine_size": [sentence]})
    if request.gpu and not sizes[name].gpus:
        sentence = _("The engine size %(name)s has no GPU.") % {"name": name}
        raise Refusal("invalid", sentence, 400, errors={"gpu": [sentence]})
    return sizes[name]


def _create(
    at: datetime,
    person: Person,
    organization: Organization,
    policy: PolicyTerms,
    wish: Wish,
    request: StartRequest,
    reserved: int,
    provider: str,
) -> Session:
    external = provider == places.EXTERNAL
    session = Session.objects.create(
        organization=organization,
        person=person,
        engine_size=wish.size.name,
        gpu=wish.size.gpus > 0,
        multiplier=wish.size.multiplier,
        labels=dict(request.labels or {}),
        client=dict(request.client or {}),
        policy_version=policy.version,
        provider=provider,
        created_at=at,
        # A client that brings its own engine has it already.
        ready_at=at if external else None,
        idle_timeout_seconds=wish.idle_timeout_seconds,
        longest_seconds=policy.longest_session_seconds,
        keep_alive_most_seconds=policy.keep_alive_most_seconds,
        active_before_seconds=_active_today(organization, person, at),
        reserved_compute_seconds=reserved,
        **_kept_settings(),
    )
    Pulse.objects.create(session=session, organization=organization)
    if not external:
        places.want_engine(session, at)
        make_keys(session, at)
    return session


def _kept_settings() -> dict[str, int]:
    """The † settings that a session keeps from its start (rule 14)."""
    return {
        "start_timeout_seconds": settings.SESSION_START_TIMEOUT_SECONDS,
        "idle_end_seconds": settings.SESSION_IDLE_END_SECONDS,
        "inactivity_prompt_seconds": settings.SESSION_INACTIVITY_PROMPT_SECONDS,
        "prompt_seconds": settings.SESSION_PROMPT_SECONDS,
        "prompt_answer_seconds": settings.SESSION_PROMPT_ANSWER_SECONDS,
        "daily_limit_seconds": settings.SESSION_DAILY_LIMIT_SECONDS,
        "daily_prompt_seconds": settings.SESSION_DAILY_PROMPT_SECONDS,
    }


def _active_today(organization: Organization, person: Person, at: datetime) -> int:
    """Active seconds of the person here in the UTC day of `at`, from earlier sessions (rule 13)."""
    midnight = at.replace(hour=0, minute=0, second=0)
    earlier = (
        Session.objects.with_facts()
        .for_organization(organization)
        .filter(person=person, ended_at__gt=midnight, created_at__lt=midnight + timedelta(days=1))
        .order_by("created_at", "id")
    )
    day, now = to_seconds(midnight), to_seconds(at)
    total = 0
    for session in earlier:
        for segment in clock.timeline(facts_of(session), now):
            if segment.kind == clock.SegmentKind.ACTIVE and segment.end > day:
                total += segment.end - max(segment.start, day)
    return total
