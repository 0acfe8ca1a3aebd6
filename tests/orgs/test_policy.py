"""The client policy (product.md rule 6)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import EngineSizeName, OffloadSwitch, Role
from orgs.models import AccessLoss, AuditEntry, Policy
from tests.factories import actor
from usage.rates import DEFAULT_SIZES

SECOND = timedelta(seconds=1)
USUAL = services.PolicyChange(
    offload="enabled",
    idle_timeout_seconds=300,
    idle_timeout_least_seconds=10,
    idle_timeout_most_seconds=3_600,
    engine_sizes=("standard", "large"),
    gpu_allowed=False,
    longest_session_seconds=None,
    sessions_per_person=1,
    keep_alive_most_seconds=14_400,
)


def update(place, person, at, **changed):
    return services.update_policy(
        actor=actor(person), at=at, organization=place, change=replace(USUAL, **changed)
    )


def test_a_change_gives_the_next_version_and_an_entry(place, owner, at):
    update(place, owner, at + SECOND, idle_timeout_seconds=600, engine_sizes=("standard",))
    terms = selectors.policy_terms(place)
    assert (terms.version, terms.idle_timeout_seconds) == (2, 600)
    assert (terms.engine_sizes, terms.changed_at) == (("standard",), at + SECOND)
    entry = AuditEntry.objects.get(event="policy.changed")
    assert entry.before == {
        "idle_timeout_seconds": 300, "engine_sizes": ["standard", "large"], "version": 1
    }  # fmt: skip


def test_saving_what_is_so_already_changes_nothing(place, owner, at):
    assert update(place, owner, at).version == 1
    assert not AuditEntry.objects.filter(event="policy.changed").exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"offload": "sometimes"}, "offload"),
        ({"idle_timeout_least_seconds": 9}, "idle_timeout_least_seconds"),
        ({"idle_timeout_most_seconds": 3_601}, "idle_timeout_most_seconds"),
        ({"idle_timeout_seconds": -1}, "idle_timeout_seconds"),
        ({"idle_timeout_seconds": 10**30}, "idle_timeout_seconds"),
        ({"idle_timeout_least_seconds": 301}, "idle_timeout_seconds"),
        ({"idle_timeout_most_seconds": 299}, "idle_timeout_seconds"),
        (
            {"idle_timeout_least_seconds": 600, "idle_timeout_most_seconds": 500},
            "idle_timeout_most_seconds",
        ),
        ({"engine_sizes": ()}, "engine_sizes"),
        ({"longest_session_seconds": 59}, "longest_session_seconds"),
        ({"longest_session_seconds": 10**12}, "longest_session_seconds"),
        ({"sessions_per_person": 0}, "sessions_per_person"),
        ({"sessions_per_person": 101}, "sessions_per_person"),
        ({"keep_alive_most_seconds": -1}, "keep_alive_most_seconds"),
        ({"keep_alive_most_seconds": 14_401}, "keep_alive_most_seconds"),
        ({"required_labels": ("team", "team")}, "required_labels"),
        ({"required_labels": ("1team",)}, "required_labels"),
        ({"required_labels": ("a" * 64,)}, "required_labels"),
        ({"required_labels": tuple(f"l{n}" for n in range(21))}, "required_labels"),
    ],
)
def test_what_is_out_of_bounds_is_refused_at_its_field(place, owner, at, changed, field):
    with pytest.raises(Refusal) as refused:
        update(place, owner, at, **changed)
    assert (refused.value.status, list(refused.value.errors)) == (400, [field])
    assert selectors.policy_terms(place).version == 1


@pytest.mark.parametrize("least", [10, 300])
def test_the_bounds_themselves_are_allowed(place, owner, at, least):
    update(place, owner, at, idle_timeout_least_seconds=least, longest_session_seconds=60)
    assert selectors.policy_terms(place).idle_timeout_least_seconds == least


def test_switching_off_is_access_lost_for_everyone_who_has_a_license(place, owner, join, pool, at):
    pool(place, 1)
    services.grant_to_person(actor=actor(owner), at=at, organization=place, person=owner)
    waiting = join(place, "Waiting")
    services.grant_to_person(actor=actor(owner), at=at, organization=place, person=waiting)
    update(place, owner, at + SECOND, offload=OffloadSwitch.ALWAYS_DISABLED)
    loss = AccessLoss.objects.get()
    assert (loss.person, loss.at, loss.cause) == (owner, at + SECOND, "policy_off")
    assert selectors.standing(place, owner, at + SECOND).license_state == "held"


@pytest.mark.parametrize(
    "switch", [OffloadSwitch.DISABLED, OffloadSwitch.USER_DEFINED, OffloadSwitch.ALWAYS_ENABLED]
)
def test_the_other_settings_take_no_access_away(place, owner, pool, at, switch):
    pool(place, 1)
    services.grant_to_person(actor=actor(owner), at=at, organization=place, person=owner)
    update(place, owner, at, offload=switch)
    assert not AccessLoss.objects.exists()


@pytest.mark.parametrize("role", [Role.EDITOR, Role.MEMBER])
def test_only_owners_change_the_policy(place, join, at, role):
    with pytest.raises(Refusal) as refused:
        update(place, join(place, "Other", role), at, idle_timeout_seconds=600)
    assert refused.value.code == "not_an_owner"


def test_the_database_refuses_timeouts_out_of_order(place):
    with pytest.raises(IntegrityError), transaction.atomic():
        Policy.objects.filter(organization=place).update(idle_timeout_seconds=5)


def test_a_policy_offers_every_engine_size_that_there_is():
    assert EngineSizeName.values == [size.name for size in DEFAULT_SIZES]


def test_labels_at_their_bounds_may_be_required(place, owner, at):
    names = ("a" * 63, "cost-centre/7", *(f"l{n}" for n in range(18)))
    update(place, owner, at, required_labels=names)
    assert selectors.policy_terms(place).required_labels == names
