"""An organization's numbers for Prometheus: the same as on the page and in the API."""

from datetime import datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orgs.models import Organization, Person
from sessions import services
from tests import factories
from tests.api.conftest import Api, issue
from tests.sessions import worlds
from tests.sessions.worlds import MINUTE
from tests.usage import worlds as book

pytestmark = pytest.mark.django_db
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"


def scraped(answer: Any) -> dict[tuple[str, str], float]:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def scrape(person: Person, organization: Organization, at: datetime, *scopes: str) -> Any:
    token = issue(person, at, scopes or ("usage:read",))
    return Api(token).get(f"/organizations/{organization.slug}/metrics", Accept=ACCEPT)


def test_it_says_what_the_api_says(
    organization: Organization, owner: Person, member: Person, at: datetime, clock: Any
) -> None:
    book.on_demand(organization, owner, at, "limited", 10)
    worlds.session(organization, owner, at, 600)
    running = worlds.start(organization, member, at + 15 * MINUTE)
    worlds.report(running, at + 15 * MINUTE, 1)
    services.meter_organization(organization_id=organization.pk, at=at + 16 * MINUTE)
    clock.move_to(at + 16 * MINUTE)
    found = scraped(scrape(owner, organization, at + 16 * MINUTE))
    token = issue(owner, at + 16 * MINUTE, ("usage:read",))
    allowance = Api(token).get(f"organizations/{organization.slug}/allowance").json()
    for source in ("committed", "top_up", "on_demand"):
        said = allowance[source]
        assert found["offload_used_compute_seconds", source] == said["used_compute_seconds"]
        assert found["offload_allowance_compute_seconds", source] == said["total_compute_seconds"]
    assert found["offload_used_compute_seconds", "committed"] == 660
    assert found["offload_left_compute_seconds", ""] == allowance["left_compute_seconds"]
    burn = allowance["burn_compute_seconds_per_hour"]
    assert found["offload_burn_compute_seconds_per_hour", ""] == burn
    assert found["offload_reserved_compute_seconds", ""] == allowance["reserved_compute_seconds"]
    states = {key[1]: value for key, value in found.items() if key[0] == "offload_sessions"}
    assert states == {"starting": 0, "idle": 0, "active": 1, "ended": 1, "failed": 0}
    assert found["offload_under_review", ""] == 0
    assert ("offload_forecast_timestamp_seconds", "") not in found


def test_what_is_without_a_bound_has_no_sample(
    organization: Organization, owner: Person, at: datetime, clock: Any
) -> None:
    book.on_demand(organization, owner, at, "unlimited")
    found = scraped(scrape(owner, organization, at))
    assert ("offload_left_compute_seconds", "") not in found
    assert ("offload_allowance_compute_seconds", "on_demand") not in found


def test_without_a_subscription_it_is_all_nothing(owner: Person, at: datetime, clock: Any) -> None:
    acme = factories.organization(owner, at=at)
    found = scraped(scrape(owner, acme, at))
    assert found["offload_left_compute_seconds", ""] == 0
    assert found["offload_sessions", "ended"] == 0


def test_it_takes_a_token_of_somebody_who_sees_usage(
    organization: Organization,
    owner: Person,
    member: Person,
    stranger: Person,
    at: datetime,
    clock: Any,
) -> None:
    address = f"/organizations/{organization.slug}/metrics"
    assert Api(None).get(address).status_code == 401
    assert scrape(owner, organization, at, "sessions").status_code == 403
    assert scrape(member, organization, at).status_code == 403
    assert scrape(stranger, organization, at).status_code == 404
