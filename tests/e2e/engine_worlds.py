"""People with accounts, for tests of the whole quickstart: `manage.py shell` runs these there."""

from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from orgs import services as orgs_services
from sessions.models import Engine
from tests import factories
from usage.models import Plan, Pool

OWNER, MAX, MIA = "olga@quickstart.example", "max@quickstart.example", "mia@quickstart.example"
POOR = "paul@quickstart.example"
SECONDS_LEFT = 12


def make() -> str:
    """Acme with three who may work, and an organization whose allowance is soon used up."""
    at = cut_to_second(timezone.now())
    owner = factories.person("Olga Owner", OWNER)
    acme = factories.subscribed_organization(owner, at=at)
    for name, email in (("Max Member", MAX), ("Mia Member", MIA)):
        person = factories.person(name, email)
        token = factories.invitation_token(acme, email, at=at)
        orgs_services.accept_invitation(
            actor=factories.actor(person), at=at, token=token, person=person
        )
        factories.license_for(acme, person, at=at)
    Plan.objects.create(
        slug="small", name="Small", licenses=1, committed_compute_seconds=SECONDS_LEFT,
        price_microusd=0, on_demand_rate_microusd=50,
    )  # fmt: skip
    poor = factories.person("Paul Poor", POOR)
    factories.subscribed_organization(poor, at=at, name="Poor", plan="small")
    return poor.email


def engine_states() -> str:
    """What became of each engine, one a line."""
    return "\n".join(f"{one.session_id} {one.state}" for one in Engine.objects.all())


def given_back() -> str:
    """Sessions whose engines were lost, and the compute-seconds given back for each."""
    pools = Pool.objects.filter(cause__startswith="engine_lost:").order_by("bought_at", "id")
    return "\n".join(
        f"{pool.cause.removeprefix('engine_lost:')} {pool.compute_seconds}" for pool in pools
    )
