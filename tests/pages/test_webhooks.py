"""Webhooks on their pages, and lines for chats (product.md rule 20)."""

import json

import pytest
from django.urls import reverse

from orgs import chat
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services import publishing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
URL = "https://192.0.2.7/hook"


@pytest.fixture
def here(organization, settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["192.0.2.0/24"]
    monkeypatch.setattr(publishing, "hint", lambda: None)
    return f"/organizations/{organization.slug}/webhooks/"


def form(**changed):
    return {"url": URL, "events": ["alert.raised"], "style": "standard", "template": "", **changed}


def act(browser, here, **posted):
    hook = WebhookEndpoint.objects.get()
    return browser.post(f"{here}{hook.pk}/act/", posted)


def test_the_secret_of_a_new_one_is_shown_once_and_never_again(here, owner, client_of):
    browser = client_of(owner)
    assert "No webhooks" in browser.get(here).content.decode()
    made = browser.post(here, form())
    assert "whsec_" in made.content.decode()
    assert made.headers["Cache-Control"] == "no-store"
    hook = WebhookEndpoint.objects.get()
    again = browser.get(f"{here}{hook.pk}/").content.decode()
    assert URL in again
    assert "whsec_" not in again
    fresh = act(browser, here, act="secret").content.decode()
    assert "whsec_" in fresh
    assert "The secret before signs until" in fresh


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "http://127.0.0.1/x"}, "https"),
        ({"url": "https://127.0.0.1/x"}, ""),
        ({"events": []}, "required"),
        ({"events": ["session.deleted"]}, "not one of the available choices"),
        ({"style": "slack", "template": "{nobody}"}, "No event has {nobody}"),
        ({"template": "x" * 301}, "at most 300"),
    ],
)
def test_what_can_not_be_is_refused_and_kept_in_the_form(here, owner, client_of, changed, said):
    answer = client_of(owner).post(here, form(**changed))
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_it_is_tested_replayed_switched_and_deleted(here, owner, client_of):
    browser = client_of(owner)
    browser.post(here, form())
    assert act(browser, here, act="test").status_code == 302
    (sent,) = WebhookDelivery.objects.all()
    page = browser.get(f"{here}{WebhookEndpoint.objects.get().pk}/").content.decode()
    assert "Send again: test, number 1" in page
    act(browser, here, act="replay", delivery=str(sent.pk))
    assert WebhookDelivery.objects.filter(event="test", body=sent.body).count() == 2
    act(browser, here, act="switch")
    assert not WebhookEndpoint.objects.get().is_enabled
    assert "Switched off" in browser.get(here).content.decode()
    assert act(browser, here, act="nothing").status_code == 404
    assert act(browser, here, act="replay", delivery="nothing").status_code == 404
    act(browser, here, act="remove")
    assert not WebhookEndpoint.objects.exists()


def test_another_organizations_receiver_is_unknown(here, owner, stranger, client_of, at):
    from tests import factories

    client_of(owner).post(here, form())
    hook = WebhookEndpoint.objects.get()
    other = factories.subscribed_organization(stranger, at=at, name="Other")
    path = reverse("orgs:webhook", args=[other.slug, hook.pk])
    assert client_of(stranger).get(path).status_code == 404


def test_a_chat_gets_a_line_by_its_template(here, organization, owner, client_of, at):
    line = "{title} in {organization}: {data.bound} at {data.threshold} % {nobody_there}"
    client_of(owner).post(here, form(style="slack", template=line.replace(" {nobody_there}", "")))
    data = {"bound": "commitment", "threshold": 90, "used": 12}
    publishing.publish(organization_id=organization.pk, event="alert.raised", at=at, data=data)
    (sent,) = WebhookDelivery.objects.all()
    assert json.loads(sent.body) == {"text": "Alert in Acme: commitment at 90 %"}


def test_the_usual_line_names_what_happened_and_leads_to_it(
    here, organization, owner, client_of, at
):
    client_of(owner).post(here, form(style="discord"))
    data = {"bound": "commitment", "session_id": "01900000-0000-7000-8000-000000000000"}
    publishing.publish(organization_id=organization.pk, event="alert.raised", at=at, data=data)
    text = json.loads(WebhookDelivery.objects.get().body)["content"]
    assert text.startswith("Alert · Acme · bound: commitment http")
    assert "0190" not in text, "identifiers say nothing to people"


@pytest.mark.parametrize("template", ["{", "}{", "{}", "{data.}", "{0.__class__}", "%s {title}"])
def test_a_template_can_do_no_harm(template):
    values = {"title": "Alert", "data": {}, "organization": "<b>&", "details": "", "link": ""}
    text = chat.text_of(template, values)
    assert "class" not in text or text == template
