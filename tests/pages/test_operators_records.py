"""Organizations and people for operators: found, seen, and repaired with a reason (rule 7)."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from orgs import services as orgs_services
from orgs.enums import Event, Role
from orgs.models import AuditEntry, Organization, Person
from orgs.selectors import AuditFilter, audit_export
from orgs.selectors.second_factor import has_second_factor
from sessions.models import Session
from tests import factories
from tests.factories import PASSWORD, actor
from tests.sessions import worlds
from usage.models import Pool, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
PATHS = ["/operators/organizations/", "/operators/people/"]
WHY = "They called"


@pytest.fixture
def operator():
    return factories.operator()


def place_of(organization):
    return reverse("pages:operators_organization", args=[organization.pk])


def page_of(person):
    return reverse("pages:operators_person", args=[person.pk])


def body(answer):
    return answer.content.decode()


@pytest.mark.parametrize("who", ["owner", "editor", "member", "stranger"])
def test_for_everybody_but_operators_they_do_not_exist(organization, client_of, request, who):
    person = request.getfixturevalue(who)
    client = client_of(person)
    for path in (*PATHS, place_of(organization), page_of(person)):
        assert client.get(path).status_code == 404
        assert client.post(path, {"act": "meter", "reason": WHY}).status_code in (404, 405)
        assert Client().get(path).headers["Location"].startswith("/account/login/")


def test_an_operator_without_a_second_factor_is_led_to_setting_one_up(organization, client_of):
    staff = factories.person("Nora")
    Person.objects.filter(pk=staff.pk).update(is_staff=True)
    for path in (*PATHS, place_of(organization), "/operators/engines/"):
        answer = client_of(Person.objects.get(pk=staff.pk)).get(path)
        assert answer.status_code == 403
        assert "Set up an authenticator app" in body(answer)


@pytest.mark.parametrize("by", ["name", "slug", "old", "owner", "id", "nothing"])
def test_an_organization_is_found(organization, owner, operator, at, client_of, by):
    old = organization.slug
    orgs_services.update_organization(
        actor=actor(owner), at=at, organization=organization, slug="renamed"
    )
    text = {
        "name": "acm",
        "slug": "rename",
        "old": old,
        "owner": owner.email[:8],
        "id": str(organization.pk),
        "nothing": "zzz",
    }[by]
    page = body(client_of(operator).get("/operators/organizations/", {"q": text}))
    assert ("Acme" in page) == (by != "nothing")


def test_a_person_is_found_by_name_and_address(member, operator, client_of):
    client = client_of(operator)
    for text in (member.name[:4], member.email, str(member.pk)):
        assert member.email in body(client.get("/operators/people/", {"q": text}))
    assert member.email not in body(client.get("/operators/people/", {"q": "zzz"}))


def test_a_list_asks_as_many_statements_for_one_row_as_for_twenty(
    organization, owner, operator, at, client_of, django_assert_max_num_queries
):
    client = client_of(operator)
    for path in PATHS:
        with django_assert_max_num_queries(15) as first:
            client.get(path)
        for number in range(20):
            factories.organization(factories.person(f"P{number}"), name=f"O{number}")
        with django_assert_max_num_queries(15) as second:
            client.get(path)
        assert len(first) == len(second)


def acts_on(organization):
    rows = audit_export(organization, AuditFilter(event=Event.OPERATOR_ACTED))
    return [(row.actor, row.after["act"], row.after["reason"]) for row in rows]


def test_metering_writes_down_an_end_that_is_due_and_the_owners_read_why(
    organization, member, operator, at, clock, client_of
):
    session = worlds.start(organization, member, at)
    clock.move_to(at + timedelta(hours=1))
    answer = client_of(operator).post(place_of(organization), {"act": "meter", "reason": WHY})
    assert answer.status_code == 302
    session.refresh_from_db()
    assert session.end_reason == "idle"
    assert acts_on(organization) == [("Otto Operator", "metered", WHY)]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_no_act_goes_without_a_reason(organization, operator, client_of, reason):
    answer = client_of(operator).post(place_of(organization), {"act": "meter", "reason": reason})
    assert answer.status_code == 400
    assert acts_on(organization) == []


def test_a_stuck_session_is_ended_once(organization, member, operator, at, clock, client_of):
    session = worlds.start(organization, member, at)
    worlds.report(session, at, 1)
    clock.shift(60)
    client = client_of(operator)
    assert member.name in body(client.get(place_of(organization)))
    asked = {"act": "session", "session": str(session.pk), "reason": WHY}
    assert client.post(place_of(organization), asked).status_code == 302
    session.refresh_from_db()
    assert session.ended_at == at + timedelta(seconds=60)
    assert client.post(place_of(organization), asked).status_code == 400
    assert len(acts_on(organization)) == 1


def test_another_organizations_session_can_not_be_ended_from_here(
    organization, member, operator, stranger, at, client_of
):
    session = worlds.start(organization, member, at)
    other = factories.organization(stranger)
    asked = {"act": "session", "session": str(session.pk), "reason": WHY}
    assert client_of(operator).post(place_of(other), asked).status_code == 400
    assert Session.objects.running().exists()


@pytest.fixture
def trial(at):
    return factories.subscribed_organization(factories.person("Tina"), at=at, plan="trial")


@pytest.mark.parametrize(("days", "status"), [(1, 302), (76, 302), (77, 400), (0, 400)])
def test_a_trial_lasts_ninety_days_at_most(trial, operator, client_of, days, status):
    before = Subscription.objects.get(organization=trial).trial_ends_at
    assert before
    asked = {"act": "trial", "days": str(days), "reason": WHY}
    assert client_of(operator).post(place_of(trial), asked).status_code == status
    after = Subscription.objects.get(organization=trial).trial_ends_at
    assert after == before + timedelta(days=days if status == 302 else 0)
    assert Pool.objects.get(organization=trial).expires_at == after


def test_only_a_trial_is_extended(organization, operator, client_of):
    asked = {"act": "trial", "days": "3", "reason": WHY}
    answer = client_of(operator).post(place_of(organization), asked)
    assert answer.status_code == 400
    assert "in no trial" in body(answer)
    assert acts_on(organization) == []


def do(client, person, act, reason=WHY):
    return client.post(page_of(person), {"act": act, "reason": reason}).status_code


def test_switching_sign_in_off_signs_out_everywhere_until_it_is_on_again(
    member, operator, client_of
):
    browser = Client()
    typed = {"login": member.email, "password": PASSWORD}
    browser.post("/account/login/", typed)
    client = client_of(operator)
    assert do(client, member, "sign_in_off") == 302
    assert browser.get("/account/me/").status_code == 302
    assert Client().post("/account/login/", typed).headers["Location"] == "/account/inactive/"
    assert do(client, member, "sign_in_on") == 302
    browser.post("/account/login/", typed)
    assert browser.get("/account/me/").status_code == 200
    assert AuditEntry.objects.filter(event=Event.OPERATOR_ACTED).count() == 2


def test_a_second_factor_is_removed_for_who_lost_it(member, operator, client_of):
    factories.second_factor(member)
    client = client_of(operator)
    assert do(client, member, "second_factor") == 302
    assert not has_second_factor(member)
    assert do(client, member, "second_factor") == 400


def test_whose_sign_in_an_operator_changes_is_told_by_mail(member, operator, client_of, outbox):
    factories.second_factor(member)
    client = client_of(operator)
    for act in ("second_factor", "sign_in_off", "sign_in_on"):
        assert do(client, member, act) == 302
    texts = [str(message.body) for message in outbox]
    assert [message.to for message in outbox] == [[member.email]] * 3
    for said, text in zip(
        ("removed your second factor", "off and", "on again"), texts, strict=True
    ):
        assert said in text
        assert WHY not in text, "the reason stands in the log alone"


def test_operators_are_made_and_unmade_but_not_by_themselves(member, operator, client_of):
    client = client_of(operator)
    assert do(client, member, "operator_on") == 302
    assert Person.objects.get(pk=member.pk).is_staff
    assert do(client, member, "operator_off") == 302
    assert not Person.objects.get(pk=member.pk).is_staff
    assert do(client, operator, "operator_off") == 400
    assert Person.objects.get(pk=operator.pk).is_staff


def test_a_person_is_erased_on_request_unless_they_own_something_alone(
    organization, owner, member, operator, client_of
):
    client = client_of(operator)
    assert do(client, owner, "erase") == 400
    assert do(client, member, "erase") == 302
    assert Person.objects.get(pk=member.pk).is_erased
    assert do(client, member, "sign_in_on") == 400
    page = body(client.get(page_of(member)))
    assert "Erased person" in page
    assert member.email not in page


def test_services_refuse_who_is_no_operator(organization, owner, member, at):
    from offload_portal.common.refusals import Refusal
    from sessions.services import operating

    with pytest.raises(Refusal) as refused:
        operating.meter_now(actor=actor(owner), at=at, organization=organization, reason=WHY)
    assert refused.value.status == 404
    with pytest.raises(Refusal):
        operating.erase(actor=actor(owner), at=at, person=member, reason=WHY)
    assert Organization.objects.filter(memberships__role=Role.OWNER).exists()
