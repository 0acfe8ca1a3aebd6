"""Who may open and change what on the pages of people and access (product.md rule 2)."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from orgs import selectors, services
from orgs.enums import Role
from orgs.models import Invitation, LicenseGrant
from orgs.services.overrides import OverrideChange, add_override
from orgs.services.requests import make_request
from tests.factories import actor

pytestmark = pytest.mark.usefixtures("clock")

POLICY = {
    "offload": "enabled",
    "idle_timeout_seconds": "300",
    "idle_timeout_least_seconds": "10",
    "idle_timeout_most_seconds": "3600",
    "engine_sizes": ["standard", "large"],
    "longest_session_minutes": "",
    "sessions_per_person": "1",
    "keep_alive_most_minutes": "240",
}
ZONES = {"name": "New Name", "zone": "Europe/Berlin"}


@pytest.fixture
def people(place, owner, join, stranger):
    """Everyone who may try, by who they are; None is signed out."""
    return {
        "owner": owner,
        "editor": join(place, "Edda", Role.EDITOR),
        "member": join(place, "Max"),
        "stranger": stranger,
        "nobody": None,
    }


@pytest.fixture
def browser(people, client_of):
    return lambda who: client_of(people[who]) if people[who] else Client()


@pytest.fixture
def address(place, people, owner, at):
    """`address("members")` of the organization, with an open invitation and the member in it."""
    invitation = (
        services.invite(actor=actor(owner), at=at, organization=place, emails=["i@example.com"])
        .sent[0]
        .invitation
    )

    order = {"actor": actor(owner), "at": at, "organization": place}
    team = services.create_team(name="Web", person_ids=[people["member"].pk], **order)
    change = services.grant_many(person_ids=[people["editor"].pk], **order).undo_id
    long = OverrideChange("Long", {"longest_session_seconds": 3_600}, (), [people["member"].pk])
    policy = add_override(change=long, **order)
    asked = make_request(person=people["member"], kind="hours", **order)
    mail.outbox.clear()

    def made(path: str) -> str:
        filled = path.format(
            member=people["member"].pk,
            invitation=invitation.pk,
            team=team.pk,
            change=change,
            policy=policy.pk,
            request=asked.pk,
        )
        return f"/organizations/{place.slug}/{filled}"

    return made


def test_a_member_sees_only_themselves(place, people, owner, browser, address):
    page = browser("member").get(address("members/")).content.decode()
    assert people["member"].email in page
    assert owner.email not in page
    assert browser("member").get(address(f"members/{owner.pk}/")).status_code == 404


def test_a_forbidden_page_says_who_can(owner, browser, address):
    page = browser("editor").get(address("members/invite/")).content.decode()
    assert owner.name in page
    assert "Only owners can do this" in page


def test_the_editors_hint_and_the_refusal_are_the_same_words(browser, address, people):
    client = browser("editor")
    hint = "Only owners can invite, remove or change members."
    assert hint in client.get(address("members/")).content.decode()
    refused = client.post(address("members/{member}/role/"), {"role": "owner"})
    assert hint in refused.content.decode()


@pytest.mark.parametrize("path", ["members/{member}/role/", "members/act/", "teams/{team}/add/"])
def test_what_changes_something_is_posted(browser, address, path):
    assert browser("owner").get(address(path)).status_code == 405


def test_the_review_shows_what_would_happen_and_keeps_what_was_typed(browser, address, owner):
    typed = f"new@x.org, bad; new@x.org {owner.email}\ni@example.com"
    client = browser("owner")
    page = client.post(address("members/invite/"), {"emails": typed, "role": "editor"})
    text = page.content.decode()
    for title in (
        "1 will be invited",
        "1 is no e-mail address",
        "1 stands there twice",
        "1 is a member already",
        "1 has an open invitation",
    ):
        assert title in text
    assert mail.outbox == []
    again = client.post(
        address("members/invite/"), {"emails": typed, "role": "editor", "step": "edit"}
    )
    assert "new@x.org, bad; new@x.org" in again.content.decode()
    client.post(address("members/invite/"), {"emails": typed, "role": "editor", "step": "send"})
    assert Invitation.objects.get(email="new@x.org").role == Role.EDITOR


@pytest.mark.parametrize(
    "typed", ["", "   ", ",;,", "x@y.org " * 1_001, "x" * 400_001, "\x00", "a\x00@x.org"]
)
def test_lists_that_can_not_be_are_refused_with_nothing_sent(browser, address, typed):
    response = browser("owner").post(
        address("members/invite/"), {"emails": typed, "role": "member", "step": "send"}
    )
    assert response.status_code == 400
    assert mail.outbox == []


def test_a_list_of_nonsense_is_reviewed_and_can_not_be_sent(browser, address):
    response = browser("owner").post(
        address("members/invite/"), {"emails": "nonsense", "role": "member", "step": "send"}
    )
    assert response.status_code == 200
    assert "1 is no e-mail address" in response.content.decode()


@pytest.mark.parametrize("role", ["", "king", "x" * 10_000])
def test_an_unknown_role_changes_nothing(browser, address, people, role):
    response = browser("owner").post(address("members/{member}/role/"), {"role": role})
    assert response.status_code == 400
    assert people["member"].memberships.get().role == Role.MEMBER


def test_the_last_owner_can_neither_leave_nor_step_down(browser, address, owner):
    client = browser("owner")
    sentence = "An organization keeps at least one owner"
    assert sentence in client.get(address(f"members/{owner.pk}/")).content.decode()
    for path, data in (("role/", {"role": "member"}), ("remove/", {})):
        response = client.post(address(f"members/{owner.pk}/{path}"), data)
        assert response.status_code == 409
        assert sentence in response.content.decode()


def test_taking_access_away_shows_who_loses_it_first(
    place, owner, people, pool, browser, address, at
):
    pool(place, 5)
    client = browser("owner")
    member = people["member"]
    chosen = {"person": str(member.pk)}
    services.grant_to_person(actor=actor(owner), at=at, organization=place, person=member)
    preview = client.post(address("members/act/"), {**chosen, "act": "take"})
    assert "1 person loses access" in preview.content.decode()
    assert LicenseGrant.objects.filter(person=member).exists()
    seal = preview.context["step"].seal
    client.post(address("members/act/"), {**chosen, "act": "take", "confirmed": seal})
    assert not LicenseGrant.objects.filter(person=member).exists()


@pytest.mark.parametrize("chosen", [["nonsense"], ["00000000-0000-0000-0000-000000000000"], [""]])
def test_unknown_members_are_not_found(browser, address, chosen):
    data = {"person": chosen, "act": "take"}
    assert browser("owner").post(address("members/act/"), data).status_code == 404


def test_selecting_nobody_says_so(browser, address):
    client = browser("owner")
    for act in ("role", "grant", "take", "team_add", "remove"):
        response = client.post(address("members/act/"), {"act": act}, follow=True)
        assert "Select members first." in response.content.decode()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"idle_timeout_seconds": "-5"}, "From 10 to 3600 seconds."),
        ({"idle_timeout_seconds": "ten"}, "Enter a whole number."),
        ({"idle_timeout_seconds": "9" * 400}, ""),
        ({"idle_timeout_least_seconds": "400"}, "The default lies between its bounds."),
        ({"engine_sizes": []}, "Allow at least one engine size."),
        ({"engine_sizes": ["enormous"]}, "enormous"),
        ({"offload": "maybe"}, "maybe"),
        ({"longest_session_minutes": "0"}, "The longest session lasts from one minute"),
        ({"sessions_per_person": "0"}, "From 1 to 100 sessions at once."),
        ({"keep_alive_most_minutes": "241"}, "A job may be kept alive for at most 14400 seconds"),
    ],
)
def test_a_policy_that_can_not_be_is_refused_and_kept_on_the_form(
    place, browser, address, changed, sentence
):
    response = browser("owner").post(address("policy/"), {**POLICY, **changed})
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert selectors.policy_terms(place).version == 1


def test_switching_off_asks_once_more(place, browser, address):
    client = browser("owner")
    off = {**POLICY, "offload": "always_disabled"}
    asked = client.post(address("policy/"), off)
    assert "takes access from 0 people" in asked.content.decode()
    assert selectors.policy_terms(place).offload == "enabled"
    client.post(address("policy/"), {**off, "confirm": "on"})
    assert selectors.policy_terms(place).offload == "always_disabled"


def test_switching_off_with_another_setting_that_can_not_be_says_so_first(browser, address):
    page = browser("owner").post(
        address("policy/"), {**POLICY, "offload": "always_disabled", "sessions_per_person": "0"}
    )
    assert page.status_code == 400
    assert "From 1 to 100 sessions at once." in page.content.decode()


def test_choosing_the_gpu_size_allows_gpus(place, browser, address):
    browser("owner").post(address("policy/"), {**POLICY, "engine_sizes": ["gpu"]})
    terms = selectors.policy_terms(place)
    assert (terms.engine_sizes, terms.gpu_allowed) == (("gpu",), True)


def test_the_log_is_paged_by_keys_and_filtered(place, owner, browser, address, at, monkeypatch):
    for number in range(60):
        services.update_organization(
            actor=actor(owner), at=at + timedelta(seconds=number), organization=place,
            name=f"Name {number}",
        )  # fmt: skip
    client = browser("owner")
    url = address("audit/")
    first = client.get(url, {"event": "organization.changed"}).context["page"]
    assert len(first.rows) == 50
    assert first.newer is None
    second = client.get(url, {"event": "organization.changed", "older": first.older})
    rows = second.context["page"].rows
    assert [row.differences[0].after for row in rows] == [f"Name {n}" for n in range(9, -1, -1)]
    back = client.get(url, {"event": "organization.changed", "newer": rows[0].id})
    assert [row.id for row in back.context["page"].rows] == [row.id for row in first.rows]


@pytest.mark.parametrize(
    "query",
    [
        {"event": "no.such"},
        {"actor": "nobody"},
        {"older": "x"},
        {"newer": "00000000-0000-0000-0000-000000000000"},
        {"older": "9" * 500},
        {"actor": "portal"},
    ],
)
def test_odd_questions_to_the_log_are_answered(browser, address, query):
    assert browser("owner").get(address("audit/"), query).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"after": "-1"},
        {"after": "9" * 60},
        {"sort": "x"},
        {"team": "x"},
        {"used": "x"},
        {"q": "%_\\'\""},
        {"role": "king"},
        {"undo": "x"},
    ],
)
def test_odd_questions_to_the_member_list_are_answered(browser, address, query):
    assert browser("owner").get(address("members/"), query).status_code == 200


@pytest.mark.parametrize(
    "path", ["members/", "teams/", "teams/{team}/", "access/", "members/invitations/", "audit/"]
)
def test_a_page_costs_the_same_for_one_and_for_twenty(
    place, owner, join, pool, browser, address, at, path, django_assert_max_num_queries
):
    client, url = browser("owner"), address(path)
    client.get(url)
    with django_assert_max_num_queries(20) as few:
        client.get(url)
    pool(place, 10)
    for number in range(20):
        join(place, f"P{number}")
    services.grant_to_all(actor=actor(owner), at=at, organization=place)
    services.invite(
        actor=actor(owner), at=at, organization=place,
        emails=[f"p{number}@x.org" for number in range(20)],
    )  # fmt: skip
    with django_assert_max_num_queries(len(few) + 3):
        client.get(url)


@pytest.mark.parametrize(
    "name", ["北京云计算有限公司", "شركة الاختبار", "X", "W" * 80, "<script>alert(1)</script>"]
)
def test_names_of_every_kind_are_shown(place, owner, browser, address, at, name):
    services.update_organization(actor=actor(owner), at=at, organization=place, name=name)
    page = browser("owner").get(address("settings/")).content.decode()
    assert "<script>alert" not in page
    assert name.replace("<", "&lt;").replace(">", "&gt;") in page
