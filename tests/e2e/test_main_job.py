"""The main job, end to end: an owner and a member in two browsers, a client over HTTP."""

import json
import re
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Window, window
from tests.e2e.stack import Stack

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
OWNER, MEMBER = "olga@main-job.example", "max@main-job.example"
PATIENCE_SECONDS = 30


@dataclass
class Client:
    """What a desktop or command-line client does."""

    address: str
    token: str

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.address}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer))

    def report(self, session: str, sequence: int, **seen: Any) -> dict[str, Any]:
        body = {"sequence": sequence, "running_containers": 1, "api_calls": 2, **seen}
        return self.call("POST", f"/sessions/{session}/activity", body)


def link_in_mail(opened: Window, address: str, word: str) -> str:
    """The first link of the newest mail to the address whose subject has the word."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        opened.open("/development/mail/")
        row = opened.page.get_by_role("row").filter(has_text=address).filter(has_text=word)
        if row.count():
            row.first.get_by_role("link").first.click()
            link = opened.page.locator("[data-mail-text] a").first.get_attribute("href")
            assert link
            return link
        time.sleep(0.2)
    raise AssertionError(f"No mail to {address} about {word}:\n{opened.text()}")


def test_the_main_job(portal: Stack, browser: Browser) -> None:
    with window(browser, portal.address) as owner, window(browser, portal.address) as member:
        slug = found_and_subscribe(owner)
        invite_and_grant(owner, slug)
        set_limit(owner, slug)
        join(member)
        session = work(portal, slug)
        see_what_it_did(owner, slug, session)
        see_own_session(member, slug, session)


def found_and_subscribe(owner: Window) -> str:
    owner.open("/account/signup/")
    owner.fill(name="Olga Owner", email=OWNER, password1=PASSWORD, password2=PASSWORD)
    owner.press("Create the account")
    owner.page.goto(link_in_mail(owner, OWNER, "onfirm"))
    owner.press("Confirm")
    owner.open("/")
    owner.follow("Create an organization")
    owner.fill(name="Main Job")
    owner.press("Create the organization")
    slug = re.search(r"/organizations/([^/]+)/", owner.page.url)
    assert slug, owner.page.url
    owner.open(f"/organizations/{slug[1]}/subscribe/")
    owner.press("Choose Team")
    assert "100" in owner.open(f"/organizations/{slug[1]}/billing/").locator("main").inner_text()
    return slug[1]


def invite_and_grant(owner: Window, slug: str) -> None:
    owner.open(f"/organizations/{slug}/members/invite/")
    owner.fill(emails=MEMBER)
    owner.press("Review")
    owner.press("Send 1 invitation")
    owner.open(f"/organizations/{slug}/access/")
    owner.follow("Give access to all members…")
    owner.press("Give access to all members")
    expect(owner.page.get_by_text("All members").first).to_be_visible()


def set_limit(owner: Window, slug: str) -> None:
    owner.open(f"/organizations/{slug}/billing/limits/")
    owner.page.get_by_label("Up to a monthly limit").check()
    owner.fill(limit="25", reason="Two weeks of builds")
    owner.press("Save")
    page = owner.open(f"/organizations/{slug}/billing/limits/")
    expect(page.get_by_role("row").filter(has_text="Two weeks of builds")).to_contain_text("$25")


def join(member: Window) -> None:
    member.page.goto(link_in_mail(member, MEMBER, "Main Job"))
    member.follow("Create an account")
    member.fill(name="Max Member", password1=PASSWORD, password2=PASSWORD)
    email = member.page.locator("[name=email]:visible")
    if email.is_editable():
        email.fill(MEMBER)
    member.press("Create the account")
    member.press("Join the organization")
    member.open("/")
    expect(member.page.get_by_text("Main Job").first).to_be_visible()


def work(portal: Stack, slug: str) -> str:
    """The client finds its account, starts, reports two containers, one of which fails, stops."""
    client = Client(portal.address, portal.manage("issue_token", MEMBER))
    accounts = client.call("GET", "/accounts")
    found = next(each for each in _list(accounts) if each["slug"] == slug)
    assert found["can_start"], found
    wish = {"organization": slug, "client": {"kind": "cli", "version": "1.0"}}
    session = client.call("POST", "/sessions", wish)
    begun = datetime.now(UTC)
    web = {"id": "a" * 64, "name": "web", "image": "acme/web:1.0", "started_at": _zulu(begun)}
    job = {"id": "b" * 64, "name": "job", "image": "acme/job:1.0", "started_at": _zulu(begun)}
    reported = client.report(session["id"], 1, containers=[web, job])
    assert reported["state"] == "active"
    _wait_for_seconds(client, session["id"])
    exited = {"exited_at": _zulu(begun + timedelta(seconds=1)), "exit_code": 3}
    client.report(session["id"], 2, containers=[{**job, **exited}])
    stopped = client.call("POST", f"/sessions/{session['id']}/stop", {})
    assert (stopped["state"], stopped["end_reason"]) == ("ended", "stopped")
    assert stopped["billed_seconds"] > 0
    assert sorted(stopped["images"]) == ["acme/job:1.0", "acme/web:1.0"]
    return str(session["id"])


def _list(accounts: dict[str, Any]) -> list[dict[str, Any]]:
    return next(value for value in accounts.values() if isinstance(value, list))


def _zulu(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _wait_for_seconds(client: Client, session: str) -> None:
    """Until the scheduler itself has metered something of the running session."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = client.call("GET", f"/sessions/{session}")
        if sum(use["seconds"] for use in found["cost_by_source"].values()) > 0:
            return
        time.sleep(0.5)
    raise AssertionError("Nothing was metered: does the scheduler run?")


def see_what_it_did(owner: Window, slug: str, session: str) -> None:
    page = owner.open(f"/organizations/{slug}/")
    expect(page.locator("main")).to_be_visible()
    page = owner.open(f"/organizations/{slug}/activity/")
    expect(page.get_by_role("row").filter(has_text="Max Member")).to_contain_text("acme/web:1.0")
    page = owner.open(f"/organizations/{slug}/sessions/{session}/")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    for words in ("acme/web:1.0", "acme/job:1.0", "Max Member"):
        expect(page.locator("main")).to_contain_text(words)


def see_own_session(member: Window, slug: str, session: str) -> None:
    page = member.open(f"/organizations/{slug}/sessions/{session}/")
    expect(page.locator("main")).to_contain_text("acme/web:1.0")
    answer = member.page.request.get(f"{member.address}/organizations/{slug}/audit/")
    assert answer.status == 403
