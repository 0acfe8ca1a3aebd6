"""Renaming an organization: old addresses go on leading to it, and nobody else gets them."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import Event, Role
from orgs.models import Address, AuditEntry, Organization
from tests.factories import actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def rename(place, owner, at, slug):
    return services.update_organization(actor=actor(owner), at=at, organization=place, slug=slug)


def test_a_page_at_an_old_address_leads_to_the_new_one_with_its_query(place, owner, at, client_of):
    rename(place, owner, at, "north")
    answer = client_of(owner).get("/organizations/northwind/members/?q=a&role=owner")
    assert answer.status_code == 307
    assert answer.headers["Location"] == "/organizations/north/members/?q=a&role=owner"


def test_a_form_sent_to_an_old_address_keeps_what_was_typed(place, owner, at, client_of):
    rename(place, owner, at, "north")
    typed = {"name": "North", "zone": "UTC", "slug": "north"}
    answer = client_of(owner).post("/organizations/northwind/settings/", typed, follow=True)
    assert answer.redirect_chain[0][1] == 307
    place.refresh_from_db()
    assert place.name == "North"


def test_outsiders_learn_nothing_from_an_old_address(place, owner, stranger, at, client_of):
    rename(place, owner, at, "north")
    for slug in ("north", "northwind", "nowhere"):
        assert client_of(stranger).get(f"/organizations/{slug}/members/").status_code == 404


def test_nobody_else_gets_an_address_that_was_given_up(place, owner, stranger, at):
    rename(place, owner, at, "north")
    with pytest.raises(Refusal) as refused:
        services.create_organization(
            actor=actor(stranger), at=at, person=stranger, name="N", slug="northwind"
        )
    assert refused.value.errors["slug"] == ["This address is taken. Choose another."]
    made = services.create_organization(
        actor=actor(stranger), at=at, person=stranger, name="Northwind"
    )
    assert made.slug == "northwind-2"
    with pytest.raises(Refusal):
        rename(made, stranger, at, "northwind")


def test_an_organization_takes_its_own_old_address_back(place, owner, at):
    rename(place, owner, at, "north")
    rename(place, owner, at + timedelta(days=1), "northwind")
    place.refresh_from_db()
    assert place.slug == "northwind"
    assert set(Address.objects.values_list("slug", flat=True)) == {"north", "northwind"}


@pytest.mark.parametrize("slug", ["new", "operators", "UPPER CASE", "-a", "a" * 49, "", "ä"])
def test_an_address_that_can_not_be_is_refused_with_its_field(place, owner, at, slug):
    with pytest.raises(Refusal) as refused:
        rename(place, owner, at, slug)
    assert "slug" in refused.value.errors


def test_only_owners_rename(place, join, at):
    editor = join(place, "Edda", Role.EDITOR)
    with pytest.raises(Refusal) as refused:
        rename(place, editor, at, "north")
    assert refused.value.code == "not_an_owner"


def test_renaming_is_in_the_audit_log_and_renaming_to_the_same_is_not(place, owner, at):
    rename(place, owner, at, "north")
    rename(Organization.objects.get(), owner, at, "north")
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert (entry.before, entry.after) == ({"slug": "northwind"}, {"slug": "north"})


def test_the_settings_page_changes_the_address(place, owner, client_of):
    client = client_of(owner)
    typed = {"name": place.name, "zone": place.zone, "slug": "North"}
    answer = client.post(f"/organizations/{place.slug}/settings/", typed)
    assert answer.headers["Location"] == "/organizations/north/settings/"
    taken = client.post("/organizations/north/settings/", {**typed, "slug": "operators"})
    assert taken.status_code == 400
    assert "The portal needs this address itself" in taken.content.decode()
