"""Each page of the demonstration, wide and narrow, light and dark: no console message, no overflow.

The pictures lie in build/screenshots; `make screenshots` copies the chosen few to docs.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e import stack
from tests.e2e.browsing import Window, picture, window

pytestmark = pytest.mark.browser

ORGANIZATION = "/organizations/acme"
SIGNED_OUT = {
    "sign-in": "/account/login/",
    "sign-up": "/account/signup/",
    "password-reset": "/account/password/reset/",
    "mail": "/development/mail/",
    "styleguide": "/styleguide/",
    "emails": "/styleguide/emails/",
}
OWNER = {
    "organizations": "/organizations/",
    "overview": f"{ORGANIZATION}/",
    "activity": f"{ORGANIZATION}/activity/",
    "activity-times": f"{ORGANIZATION}/activity/times/",
    "activity-cost": f"{ORGANIZATION}/activity/cost/",
    "activity-cost-by-image": f"{ORGANIZATION}/activity/cost/?by=image",
    "activity-outcomes": f"{ORGANIZATION}/activity/outcomes/",
    "activity-advice": f"{ORGANIZATION}/activity/advice/",
    "reports": f"{ORGANIZATION}/activity/reports/",
    "new-report": f"{ORGANIZATION}/activity/reports/new/?engine=large",
    "members": f"{ORGANIZATION}/members/",
    "never-used": f"{ORGANIZATION}/members/?access=held&used=never&sort=-joined",
    "teams": f"{ORGANIZATION}/teams/",
    "give-to-all": f"{ORGANIZATION}/access/all/",
    "invite": f"{ORGANIZATION}/members/invite/",
    "invitations": f"{ORGANIZATION}/members/invitations/",
    "access": f"{ORGANIZATION}/access/",
    "select-members": f"{ORGANIZATION}/access/selected/",
    "billing": f"{ORGANIZATION}/billing/",
    "limits": f"{ORGANIZATION}/billing/limits/",
    "commitment": f"{ORGANIZATION}/billing/commitment/",
    "top-up": f"{ORGANIZATION}/billing/top-up/",
    "cancel": f"{ORGANIZATION}/billing/cancel/",
    "plans": f"{ORGANIZATION}/subscribe/",
    "policy": f"{ORGANIZATION}/policy/",
    "policy-for-teams": f"{ORGANIZATION}/policy/add/",
    "requests": f"{ORGANIZATION}/requests/",
    "unsent-mail": f"{ORGANIZATION}/mail/",
    "notifications": "/notifications/",
    "mail-choices": "/account/notifications/",
    "audit": f"{ORGANIZATION}/audit/",
    "settings": f"{ORGANIZATION}/settings/",
    "organization-tokens": f"{ORGANIZATION}/tokens/",
    "account": "/account/me/",
    "tokens": "/account/tokens/",
    "email": "/account/email/",
    "sessions-of-account": "/account/sessions/",
    "own-data": "/account/data/",
    "second-factor": "/account/2fa/",
}
MEMBER = {
    "member-overview": f"{ORGANIZATION}/",
    "member-activity": f"{ORGANIZATION}/activity/",
    "member-policy": f"{ORGANIZATION}/policy/mine/",
    "ask-the-owners": f"{ORGANIZATION}/requests/new/",
    "member-billing": f"{ORGANIZATION}/billing/",
}


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    with stack.embedded(tmp_path_factory.mktemp("demonstration"), demonstration=True) as running:
        yield running


MOST_SHIFT = 0.01


def layout_shift(page: Page) -> float:
    """How much has moved since the page began to load, as browsers count it."""
    return float(
        page.evaluate(
            """() => new Promise((done) => {
              let sum = 0;
              new PerformanceObserver((list) => {
                for (const each of list.getEntries()) if (!each.hadRecentInput) sum += each.value;
              }).observe({ type: "layout-shift", buffered: true });
              setTimeout(() => done(sum), 250);
            })"""
        )
    )


def sign_in(opened: Window, demonstration: stack.Stack, who: str) -> None:
    text = (demonstration.folder / "demo-sign-ins.txt").read_text()
    password = re.search(r"password (\S+)", text)
    assert password, text
    opened.open("/account/login/")
    opened.fill(login=f"{who}@acme.example", password=password[1])
    opened.press("Sign in")
    assert "/account/login/" not in opened.page.url, opened.text()


def take_all(opened: Window, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        opened.open(path)
        assert layout_shift(opened.page) <= MOST_SHIFT, name
        picture(opened, name)


def whole_session(opened: Window) -> str:
    """The newest session that has ended and ran several images: it has a whole story."""
    opened.open(f"{ORGANIZATION}/activity/?state=ended")
    row = opened.page.locator("main table tr").filter(has_text=" +").first
    return str(row.locator(f"a[href*='{ORGANIZATION}/sessions/']").first.get_attribute("href"))


def test_signed_out(demonstration: stack.Stack, browser: Browser) -> None:
    with window(browser, demonstration.address) as opened:
        take_all(opened, SIGNED_OUT)


def test_an_owners_pages(demonstration: stack.Stack, browser: Browser) -> None:
    with window(browser, demonstration.address) as opened:
        sign_in(opened, demonstration, "owner")
        take_all(opened, {**OWNER, "session": whole_session(opened)})


def test_a_members_pages(demonstration: stack.Stack, browser: Browser) -> None:
    with window(browser, demonstration.address) as opened:
        sign_in(opened, demonstration, "member")
        take_all(opened, MEMBER)
