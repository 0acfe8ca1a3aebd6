"""The client policy as it holds (product.md rule 6)."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from orgs.models import Organization, Policy


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """What clients and starts obey. Times are seconds; `longest_session_seconds` None: no limit.

    `keep_alive_most_seconds` is how far ahead a job may declare itself alive; 0 is not at all.
    """

    version: int
    offload: str
    idle_timeout_seconds: int
    idle_timeout_least_seconds: int
    idle_timeout_most_seconds: int
    engine_sizes: tuple[str, ...]
    gpu_allowed: bool
    longest_session_seconds: int | None
    sessions_per_person: int
    keep_alive_most_seconds: int
    refresh_after_seconds: int
    changed_at: datetime


def policy_terms(organization: Organization) -> PolicyTerms:
    """The policy of everyone in the organization; every organization has one."""
    policy = Policy.objects.get(organization=organization)
    return terms_of_policy(policy, settings.POLICY_REFRESH_SECONDS)


def terms_of_policy(policy: Policy, refresh_after_seconds: int) -> PolicyTerms:
    return PolicyTerms(
        version=policy.version,
        offload=policy.offload,
        idle_timeout_seconds=policy.idle_timeout_seconds,
        idle_timeout_least_seconds=policy.idle_timeout_least_seconds,
        idle_timeout_most_seconds=policy.idle_timeout_most_seconds,
        engine_sizes=tuple(policy.engine_sizes),
        gpu_allowed=policy.gpu_allowed,
        longest_session_seconds=policy.longest_session_seconds,
        sessions_per_person=policy.sessions_per_person,
        # The portal's own bound may have been lowered since the policy was set.
        keep_alive_most_seconds=min(
            policy.keep_alive_most_seconds, settings.KEEP_ALIVE_MOST_SECONDS
        ),
        refresh_after_seconds=refresh_after_seconds,
        changed_at=policy.changed_at,
    )
