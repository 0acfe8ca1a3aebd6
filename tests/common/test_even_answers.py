"""No answer's time tells who has an account (targets R17)."""

import time
from unittest import mock

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from offload_portal.common.middleware import EVENLY, answer_evenly


def slept_after(took, path, method="post"):
    """How long the middleware sleeps after the portal took so many seconds; None not at all."""
    with (
        mock.patch.object(time, "monotonic", side_effect=[10.0, 10.0 + took]),
        mock.patch.object(time, "sleep") as sleep,
    ):
        answer_evenly(lambda _request: HttpResponse())(getattr(RequestFactory(), method)(path))
    return sleep.call_args.args[0] if sleep.called else None


@pytest.fixture(autouse=True)
def _as_delivered(settings):
    settings.EVEN_ANSWER_MILLISECONDS = 250


@pytest.mark.parametrize("path", sorted(EVENLY))
@pytest.mark.parametrize(("took", "waits"), [(0.1, 0.15), (0.249, 0.001), (0.3, 0.2)])
def test_an_answer_waits_for_the_next_quarter_of_a_second(path, took, waits):
    assert slept_after(took, path) == pytest.approx(waits)


def test_these_are_the_forms_that_take_anybodys_address():
    names = ("account_login", "account_signup", "account_reset_password")
    assert {reverse(name) for name in names} == EVENLY


@pytest.mark.parametrize(
    ("path", "method"), [("/account/logout/", "post"), ("/account/login/", "get")]
)
def test_others_are_answered_at_once(path, method):
    assert slept_after(0.1, path, method) is None


def test_it_can_be_switched_off(settings):
    settings.EVEN_ANSWER_MILLISECONDS = 0
    assert slept_after(0.1, "/account/login/") is None
