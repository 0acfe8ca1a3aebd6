"""What an owner could do better, each with the figures behind it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, IntegerField, Max, Sum, Value, When

from orgs.models import Organization
from orgs.selectors.members import MemberFilter
from sessions.enums import EndReason
from sessions.selectors.engine_time import waited
from sessions.selectors.members import members_with_use
from sessions.selectors.outcomes import FailingImage, failing_images
from sessions.selectors.rebuilt import RebuiltImage, rebuilt_image
from sessions.selectors.scope import Scope
from usage.selectors import usage_sums
from usage.selectors.commitments import CommitmentCheck, commitment_check
from usage.selectors.days import use_by_source

HOUR = 3_600
# Below these nobody should be bothered.
LEAST_SAVED_SECONDS = HOUR
LEAST_SAVED_SHARE = 50  # one in so many of all billed compute-seconds
LEAST_FAILED_RUNS = 5
LEAST_FAILED_SHARE = 5  # one in so many runs


@dataclass(frozen=True, slots=True)
class IdleCheck:
    """What waiting for the idle timeout cost, in compute-seconds.

    Of the `sessions` that ended idle after activity, `waited` was billed after the last activity;
    with a timeout of `suggested_seconds` it had been `saved` less. `longest_seconds` is the longest
    timeout among them. Pauses within a session aren't recorded while they are shorter than its
    timeout, so some sessions would have ended earlier.
    """

    sessions: int
    waited: int
    saved: int
    billed: int
    suggested_seconds: int
    longest_seconds: int

    @property
    def is_worth_it(self) -> bool:
        return self.saved >= LEAST_SAVED_SECONDS and self.saved * LEAST_SAVED_SHARE >= self.billed


@dataclass(frozen=True, slots=True)
class LicenseCheck:
    """Licenses of the pool, those held, and of these who never started a session or not lately."""

    licenses: int
    held: int
    never: int
    idle: int

    @property
    def unused(self) -> int:
        return self.never + self.idle


@dataclass(frozen=True, slots=True)
class Advice:
    """`image` is the one that fails most; `commitment` None where no period is over yet."""

    idle: IdleCheck
    licenses: LicenseCheck
    commitment: CommitmentCheck | None
    image: FailingImage | None
    rebuilt: RebuiltImage | None


def advice_of(scope: Scope, rate_microusd: int | None) -> Advice:
    """At most eleven statements, whatever the number of sessions and people."""
    organization = scope.organization
    images = failing_images(scope).images
    return Advice(
        idle=idle_check(scope),
        licenses=license_check(organization, scope.at),
        commitment=commitment_check(organization, rate_microusd, scope.at),
        image=next(filter(_fails_often, images), None),
        rebuilt=rebuilt_image(scope),
    )


def _fails_often(image: FailingImage) -> bool:
    often = image.failed * LEAST_FAILED_SHARE >= image.runs
    return often and image.failed >= LEAST_FAILED_RUNS


def idle_check(scope: Scope) -> IdleCheck:
    """Of the sessions that started in the period and have ended."""
    suggested = settings.IDLE_TIMEOUT_DEFAULT_SECONDS
    shorter = Case(
        When(idle_timeout_seconds__gt=suggested, then=Value(suggested)),
        default=F("idle_timeout_seconds"),
        output_field=IntegerField(),
    )
    found: dict[str, Any] = (
        scope.started()
        .filter(end_reason=EndReason.IDLE)
        .annotate(wait=waited(), short=shorter)
        .filter(wait__gt=0)
        .aggregate(
            sessions=Count("pk"),
            waited=Sum(F("wait") * F("multiplier"), output_field=IntegerField()),
            least=Sum(F("short") * F("multiplier"), output_field=IntegerField()),
            longest=Max("idle_timeout_seconds"),
        )
    )
    return IdleCheck(
        sessions=found["sessions"],
        waited=found["waited"] or 0,
        saved=(found["waited"] or 0) - (found["least"] or 0),
        billed=_billed(scope),
        suggested_seconds=suggested,
        longest_seconds=found["longest"] or 0,
    )


def _billed(scope: Scope) -> int:
    """All compute-seconds of the period. One statement."""
    if scope.is_everything:
        (found,) = use_by_source(scope.organization.pk, [scope.period])
        return sum(use.compute_seconds for use in found.values())
    return usage_sums(scope.question()).compute_seconds


def license_check(organization: Organization, at: datetime) -> LicenseCheck:
    holders = MemberFilter(access="held")
    return LicenseCheck(
        licenses=organization.licenses,
        held=organization.licenses_held,
        never=members_with_use(organization, holders, at=at, used="never").count(),
        idle=members_with_use(organization, holders, at=at, used="idle").count(),
    )
