"""Caps on the pages: made, looked at, changed and lifted by those who pay."""

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from orgs import services as orgs_services
from sessions.models import Session
from sessions.services import set_cap
from tests import factories
from tests.sessions import worlds
from usage.models import Alert, Cap

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def team(organization, owner, member, at):
    return orgs_services.create_team(
        actor=factories.actor(owner),
        at=at,
        organization=organization,
        name="数据组",
        person_ids=[member.pk],
    )


def text_of(response):
    return " ".join(strip_tags(response.content.decode()).split())


def where(organization, name="limits", **names):
    return reverse(f"pages:{name}", kwargs={"slug": organization.slug, **names})


def test_a_cap_for_a_team_stands_among_the_limits(client_of, organization, owner, team):
    browser = client_of(owner)
    data = {"scope": "team", "team": str(team.pk), "hours": "20", "reason": "A course"}
    page = browser.post(where(organization, "cap_new"), data, follow=True)
    cap = Cap.objects.get()
    assert (cap.scope, cap.subject_id, cap.limit_compute_seconds) == ("team", team.pk, 72_000)
    assert "The cap is set." in text_of(page)
    assert "数据组" in text_of(page)
    assert "A course" in text_of(page)


def test_a_person_is_named_by_address_and_who_is_not_there_is_refused(
    client_of, organization, owner, member
):
    browser, path = client_of(owner), where(organization, "cap_new")
    wrong = browser.post(path, {"scope": "person", "email": "no@example.com", "hours": "1"})
    assert wrong.status_code == 400
    assert "Nobody in the organization has this address." in text_of(wrong)
    assert 'value="no@example.com"' in wrong.content.decode()
    browser.post(path, {"scope": "person", "email": member.email.upper(), "hours": "1"})
    assert Cap.objects.get().subject_id == member.pk


def test_a_look_shows_what_it_would_have_refused_and_changes_nothing(
    client_of, organization, owner, member, at, clock
):
    worlds.session(organization, member, at, 4_000)
    worlds.session(organization, member, at + 90 * worlds.MINUTE, 300)
    clock.shift(7_200)
    data = {"scope": "person", "email": member.email, "hours": "1", "preview": "yes"}
    page = text_of(client_of(owner).post(where(organization, "cap_new"), data))
    assert "and 1 session refused" in page
    assert "In this period so far" in page
    assert not Cap.objects.exists()


def test_the_on_demand_limit_shows_the_same(client_of, organization, owner):
    data = {"mode": "limited", "limit": "5", "preview": "yes"}
    page = text_of(client_of(owner).post(where(organization), data))
    assert "It would not have been reached" in page


def test_sessions_end_only_after_a_word(client_of, organization, owner, member, at, clock):
    session = worlds.start(organization, member, at)
    worlds.keep_awake(session, 86_400)
    worlds.report(session, at, 1)
    clock.shift(3_700)
    browser, path = client_of(owner), where(organization, "cap_new")
    data = {"scope": "person", "email": member.email, "hours": "1", "at_once": "on"}
    asked = browser.post(path, data)
    assert "1 running session will end at" in text_of(asked)
    assert not Cap.objects.exists()
    browser.post(path, {**data, "confirm": "yes"})
    clock.shift(2)
    worlds_meter(organization, at + 3_702 * worlds.MINUTE / 60)
    ended = Session.objects.get()
    assert ended.end_reason == "cap_reached"
    page = text_of(browser.get(where(organization, "session", id=session.pk)))
    assert "The cap of Max Member for this period was reached" in page


def worlds_meter(organization, at):
    from sessions.services import meter_organization

    meter_organization(organization_id=organization.pk, at=at)


def capped(organization, owner, person, seconds, at):
    return set_cap(
        actor=factories.actor(owner),
        at=at,
        organization=organization,
        scope="person",
        subject_id=person.pk,
        limit_compute_seconds=seconds,
    ).cap


def test_it_is_changed_and_lifted(client_of, organization, owner, member, at, clock):
    cap = capped(organization, owner, member, 7_200, at)
    browser = client_of(owner)
    path = where(organization, "cap", cap_id=cap.pk)
    assert 'value="2"' in browser.get(path).content.decode()
    clock.shift(1)
    browser.post(path, {"hours": "3"})
    cap.refresh_from_db()
    assert cap.limit_compute_seconds == 10_800
    clock.shift(1)
    lift = where(organization, "cap_lift", cap_id=cap.pk)
    assert "Lift the cap of Max Member" in text_of(browser.get(lift))
    browser.post(lift)
    cap.refresh_from_db()
    assert cap.limit_compute_seconds is None
    assert browser.get(path).status_code == 404


def test_editors_see_caps_and_change_none(client_of, organization, owner, editor, member, at):
    cap = capped(organization, owner, member, 7_200, at)
    browser = client_of(editor)
    page = browser.get(where(organization))
    assert "Max Member" in text_of(page)
    assert where(organization, "cap", cap_id=cap.pk) not in page.content.decode()
    assert browser.get(where(organization, "cap", cap_id=cap.pk)).status_code == 403


def test_members_see_their_own_and_nobody_elses(client_of, organization, owner, member, at):
    other = factories.licensed_member(organization, "Ola Other", at=at)
    capped(organization, owner, member, 7_200, at)
    capped(organization, owner, other, 3_600, at)
    page = text_of(client_of(member).get(where(organization, "billing")))
    assert "Your caps" in page
    assert "Ola Other" not in page


@pytest.mark.parametrize(("used", "alerts"), [(899, 2), (900, 3), (1_000, 4)])
def test_owners_are_warned_of_a_cap_at_its_thresholds(
    client_of, organization, owner, member, at, outbox, used, alerts
):
    from sessions.services.warning import warn_after_metering

    cap = capped(organization, owner, member, 1_000, at)
    Cap.objects.filter(pk=cap.pk).update(used_compute_seconds=used)
    assert warn_after_metering(metered=[organization.pk], at=at) == 1
    assert Alert.objects.filter(bound=f"cap:{cap.pk}").count() == alerts
    assert "of the cap of Max Member is used" in outbox[0].subject
    assert Alert.objects.filter(name__contains="Max").count() == 0, "the name goes with the person"
    assert warn_after_metering(metered=[organization.pk], at=at) == 0
    page = text_of(client_of(owner).get(where(organization, "billing")))
    assert "of the cap of Max Member is used" in page


def test_pages_take_the_same_statements_however_many_caps_there_are(
    client_of, organization, owner, at, django_assert_max_num_queries
):
    for number in range(4):
        person = factories.colleague(organization, f"Person {number}", at=at)
        capped(organization, owner, person, 7_200, at)
    browser = client_of(owner)
    with django_assert_max_num_queries(20):
        browser.get(where(organization))
