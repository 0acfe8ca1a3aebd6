"""`GET /sessions/{id}?wait=…&etag=…` answers what a request would get that comes afterwards."""

import re
from urllib.parse import quote

import pytest

from orgs import services as orgs_services
from orgs.models import Token
from sessions.waiting import Watch, watch
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(api, member, organization):
    return (
        f"sessions/{api(member).post('sessions', {'organization': organization.slug}).json()['id']}"
    )


@pytest.fixture
def parked(monkeypatch, clock):
    """What happens while somebody is parked: `parked.then = function`; time goes on by itself."""

    class Parked:
        seconds = 0
        times = 0
        then = staticmethod(lambda: None)

    def park(self, waiter, seconds):
        Parked.times += 1
        Parked.seconds = seconds
        clock.shift(seconds if Parked.seconds < 10 else 10)
        Parked.then()

    monkeypatch.setattr(Watch, "park", park)
    return Parked


def waited(caller, path, seconds=30, etag=None):
    tag = etag or caller.get(path).headers["ETag"]
    return caller.get(f"{path}?wait={seconds}&etag={quote(tag)}")


def test_a_change_is_answered_with_the_tag_that_it_has_from_then_on(
    api, member, organization, path, parked
):
    caller = api(member)
    parked.then = lambda: api(member).post(f"{path}/stop")
    answer = waited(caller, path)
    assert (answer.status_code, answer.json()["state"]) == (200, "ended")
    assert answer.headers["ETag"] == caller.get(path).headers["ETag"]
    assert parked.seconds == 30


def test_without_a_change_the_answer_is_as_of_the_end_of_the_wait(api, member, path, parked):
    caller = api(member)
    before = caller.get(path)
    answer = waited(caller, path, 5)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == before.headers["ETag"]
    assert answer.json()["elapsed_seconds"] == before.json()["elapsed_seconds"] + 5


@pytest.mark.parametrize("cut", [False, True])
def test_only_who_knows_the_present_tag_waits(api, member, path, parked, cut):
    caller = api(member)
    tag = caller.get(path).headers["ETag"]
    waited(caller, path, etag="other")
    caller.get(f"{path}?wait=30")
    caller.get(f"{path}?etag={quote(tag)}")
    waited(caller, path, 0, tag)
    assert parked.times == 0
    waited(caller, path, 5, tag.removeprefix("W/") if cut else tag)
    assert parked.times == 1
    assert caller.get(f"{path}?wait=61").status_code == 400


def test_a_token_revoked_meanwhile_opens_nothing(api, member, path, parked, at):
    caller = api(member)

    def revoke():
        Token.objects.filter(person=member).update(revoked_at=at)

    tag = caller.get(path).headers["ETag"]
    parked.then = revoke
    answer = waited(caller, path, etag=tag)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_person_switched_off_meanwhile_gets_401(api, member, path, parked):
    def switch_off():
        member.is_active = False
        member.save()

    parked.then = switch_off
    assert waited(api(member), path).status_code == 401


def test_whoever_was_removed_meanwhile_gets_404(api, owner, member, organization, path, parked, at):
    def remove():
        orgs_services.remove_member(
            actor=actor(owner), at=at, organization=organization, person=member
        )

    parked.then = remove
    answer = waited(api(member), path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_whoever_lost_the_license_meanwhile_sees_the_session_end(
    api, owner, member, organization, path, parked, at
):
    def take():
        orgs_services.revoke_person(
            actor=actor(owner), at=at, organization=organization, person=member
        )

    parked.then = take
    answer = waited(api(member), path).json()
    assert (answer["state"], answer["end_reason"]) == ("ended", "access_revoked")


def test_an_editor_who_became_a_member_no_longer_sees_it(api, editor, organization, path, parked):
    parked.then = lambda: organization.memberships.filter(person=editor).update(role="member")
    assert waited(api(editor), path).status_code == 404


def test_a_scope_lost_meanwhile_is_told(api, editor, path, parked):
    parked.then = lambda: Token.objects.filter(person=editor).update(scopes=["sessions"])
    answer = waited(api(editor), path)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_where_as_many_wait_as_may_the_answer_comes_at_once(api, member, path, parked, settings):
    settings.MOST_WAITING = 0
    answer = waited(api(member), path)
    assert answer.status_code == 200
    assert parked.times == 0


def test_nobody_is_left_waiting(api, member, path, parked):
    waited(api(member), path)
    assert watch._waiters == set()


def test_one_wait_counts_as_one_request(api, member, path, parked):
    caller = api(member)
    first = left(caller.get(path))
    second = left(waited(caller, path, etag=caller.get(path).headers["ETag"]))
    assert [one - two for one, two in zip(first, second, strict=True)] == [2, 2]


def left(answer):
    """What is left of each limit."""
    return [int(number) for number in re.findall(r";r=(\d+)", answer.headers["RateLimit"])]
