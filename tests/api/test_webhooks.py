"""Webhooks through the API: add, secret, test, log, replay, delete."""

import pytest

from orgs.models import WebhookDelivery
from tests.api.conftest import Api, issue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
URL = "https://hooks.example.com/offload"


@pytest.fixture
def caller(owner, at):
    return Api(issue(owner, at))


@pytest.fixture
def here(organization):
    return f"organizations/{organization.slug}/webhooks"


@pytest.fixture
def made(caller, here):
    answer = caller.post(here, {"url": URL, "events": ["alert.raised", "session.ended"]})
    assert answer.status_code == 201
    return answer.json()


def test_a_webhook_is_added_listed_switched_off_and_deleted(caller, here, made):
    assert caller.get(here).json()["results"] == [made]
    one = f"{here}/{made['id']}"
    assert not caller.patch(one, {"is_enabled": False}).json()["is_enabled"]
    assert caller.call("DELETE", one).status_code == 204
    assert caller.get(one).status_code == 404


def test_its_secret_is_given_by_asking_and_never_again(caller, here, made):
    given = caller.post(f"{here}/{made['id']}/secret").json()["secret"]
    assert given.startswith("whsec_")
    assert given not in caller.get(here).content.decode()
    assert caller.post(f"{here}/{made['id']}/secret").json()["secret"] != given


def test_a_test_stands_in_the_log_and_can_be_sent_again(caller, here, made):
    sent = caller.post(f"{here}/{made['id']}/test").json()
    again = caller.post(f"{here}/deliveries/{sent['id']}/replay").json()
    log = caller.get(f"{here}/{made['id']}/deliveries").json()["results"]
    assert {one["id"] for one in log} == {sent["id"], again["id"]}
    assert {one["event"] for one in log} == {"test"}
    assert again["body"] == sent["body"]


def test_the_eleventh_is_refused(caller, here):
    for _number in range(10):
        assert caller.post(here, {"url": URL, "events": ["alert.raised"]}).status_code == 201
    answer = caller.post(here, {"url": URL, "events": ["alert.raised"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://hooks.example.com/", "events": ["alert.raised"]},
        {"url": URL, "events": []},
        {"url": URL, "events": ["nothing"]},
        {"url": URL},
    ],
)
def test_what_can_not_be_is_refused(caller, here, body):
    assert caller.post(here, body).status_code == 400


def test_the_log_takes_as_many_statements_with_one_as_with_twenty(
    caller, here, made, django_assert_max_num_queries
):
    for _number in range(20):
        caller.post(f"{here}/{made['id']}/test")
    with django_assert_max_num_queries(12):
        assert len(caller.get(f"{here}/{made['id']}/deliveries").json()["results"]) == 20
    assert WebhookDelivery.objects.count() == 20
