"""Pictures of the audit log, second factor, deletion and the operators' records, in every state."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from orgs import services as orgs_services
from orgs.enums import Role
from orgs.models import Person
from orgs.services import sealing
from sessions import services
from tests import factories
from tests.e2e.test_state_pictures import LONG, take
from tests.factories import PASSWORD, actor
from tests.sessions import worlds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


@pytest.fixture
def now() -> datetime:
    return cut_to_second(timezone.now())


def signed_in(person: Person) -> Client:
    """With the password given once more, as the pages that guard an account ask."""
    client = Client()
    client.post("/account/login/", {"login": person.email, "password": PASSWORD})
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client


def test_an_owner_sees_the_log_and_what_would_be_lost(live_server, now: datetime) -> None:
    begun = now - timedelta(hours=2)
    owner = factories.person("Olga Owner")
    acme = factories.subscribed_organization(owner, at=begun, name=LONG)
    member = factories.licensed_member(acme, "Wang", at=begun)
    Person.objects.filter(pk=member.pk).update(name="王小明")
    gone = factories.licensed_member(acme, "Gerd Gone", at=begun)
    orgs_services.change_role(
        actor=actor(owner), at=begun, organization=acme, person=gone,
        role=Role.EDITOR,
    )  # fmt: skip
    orgs_services.update_organization(
        actor=actor(owner), at=begun, organization=acme, zone="Asia/Shanghai", name=LONG[:70]
    )
    orgs_services.invite(actor=actor(owner), at=now, organization=acme, emails=["ada@example.com"])
    services.erase_person(actor=actor(gone), at=now, person=gone)
    sealing.seal_entries(at=now)
    worlds.start(acme, member, now)
    owner.refresh_from_db()
    client = signed_in(owner)
    here = f"/organizations/{acme.slug}"
    pages = {
        "audit-entries": f"{here}/audit/",
        "audit-nothing": f"{here}/audit/?q=zzz&from=2026-01-01",
        "settings-owner": f"{here}/settings/",
        "delete-organization": f"{here}/settings/delete/",
        "delete-account-alone": "/account/delete/",
        "own-data": "/account/data/",
        "second-factor": "/account/2fa/",
        "second-factor-activate": "/account/2fa/totp/activate/",
    }
    take(live_server.url, client, pages)
    take(live_server.url, signed_in(member), {"delete-account": "/account/delete/"})


def test_a_second_factor_that_is_there_and_one_that_is_asked_for(
    live_server, now: datetime
) -> None:
    owner = factories.person("Olga Owner")
    acme = factories.subscribed_organization(owner, at=now)
    client = signed_in(owner)
    factories.second_factor(owner)
    client.post("/account/2fa/recovery-codes/generate/")
    pages = {
        "second-factor-there": "/account/2fa/",
        "recovery-codes": "/account/2fa/recovery-codes/",
        "recovery-codes-generate": "/account/2fa/recovery-codes/generate/",
        "second-factor-deactivate": "/account/2fa/totp/deactivate/",
    }
    take(live_server.url, client, pages)
    half_in = Client()
    half_in.post("/account/login/", {"login": owner.email, "password": PASSWORD})
    take(live_server.url, half_in, {"second-factor-code": "/account/2fa/authenticate/"})
    assert acme.pk


def test_operators_find_and_repair(live_server, now: datetime) -> None:
    owner = factories.person("Olga Owner")
    acme = factories.subscribed_organization(owner, at=now, name=LONG)
    factories.organization(factories.person("王小明", "wang@example.com"), at=now, name="北风")
    member = factories.licensed_member(acme, at=now)
    worlds.start(acme, member, now)
    operator = factories.operator()
    client = Client()
    client.force_login(operator, "allauth.account.auth_backends.AuthenticationBackend")
    place = reverse("pages:operators_organization", args=[acme.pk])
    client.post(place, {"act": "meter", "reason": "The owner called: nothing was written down."})
    pages = {
        "operators-organizations": "/operators/organizations/",
        "operators-organization": place,
        "operators-people": "/operators/people/",
        "operators-person": reverse("pages:operators_person", args=[member.pk]),
        "operators-nothing": "/operators/people/?q=zzz",
        "operators-records": "/operators/",
    }
    take(live_server.url, client, pages)
