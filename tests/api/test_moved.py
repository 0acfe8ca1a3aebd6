"""Old addresses of organizations in the API: routes lead on, bodies and queries just work."""

import pytest

from orgs import services
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def old(organization, owner, at):
    """The address that the organization had until it was renamed."""
    before = organization.slug
    services.update_organization(
        actor=actor(owner), at=at, organization=organization, slug="renamed"
    )
    return before


def test_a_route_with_an_old_address_leads_to_the_present_one(api, member, old):
    answer = api(member).get(f"organizations/{old}/policy")
    assert answer.status_code == 307
    assert answer.headers["Location"] == "/api/v1/organizations/renamed/policy"
    assert answer.json()["code"] == "moved"
    assert api(member).get("organizations/renamed/policy").status_code == 200


def test_a_write_keeps_its_method_and_changes_nothing_before_it_is_followed(
    api, owner, organization, old
):
    answer = api(owner).patch(f"organizations/{old}", {"name": "New"})
    assert answer.status_code == 307
    organization.refresh_from_db()
    assert organization.name == "Acme"


def test_outsiders_get_404_at_either(api, stranger, old):
    bodies = {
        api(stranger).get(f"organizations/{slug}/policy").content
        for slug in (old, "renamed", "nowhere")
    }
    assert len(bodies) == 1


def test_in_bodies_and_queries_an_old_address_just_works(api, member, old):
    started = api(member).post("sessions", {"organization": old})
    assert started.status_code == 201
    assert started.json()["organization"] == "renamed"
    listed = api(member).get(f"sessions?organization={old}")
    assert len(listed.json()["results"]) == 1
    preferred = api(member).patch("me/preferences", {"default_organization": old})
    assert preferred.json()["default_organization"] == "renamed"


def test_renaming_by_the_api_answers_with_the_new_address(api, owner, organization):
    answer = api(owner).patch(f"organizations/{organization.slug}", {"slug": "renamed"})
    assert answer.status_code == 200
    assert answer.json()["slug"] == "renamed"
    taken = api(owner).patch("organizations/renamed", {"slug": "operators"})
    assert taken.status_code == 400
    assert list(taken.json()["errors"]) == ["slug"]


def test_asking_for_a_second_factor_by_the_api_stops_who_has_none(api, owner, member, organization):
    from tests import factories

    here = f"organizations/{organization.slug}"
    assert api(owner).patch(here, {"requires_second_factor": True}).status_code == 409
    factories.second_factor(owner)
    done = api(owner).patch(here, {"requires_second_factor": True})
    assert done.json()["requires_second_factor"] is True
    refused = api(member).post("sessions", {"organization": organization.slug})
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    (account,) = api(member).get("accounts").json()["results"]
    assert account["code"] == "second_factor_required"
    factories.second_factor(member)
    started = api(member).post("sessions", {"organization": organization.slug})
    assert started.status_code == 201
