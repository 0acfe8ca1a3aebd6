"""Usage and billing pages: who sees and changes what, and what is shown before it is done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from orgs.models import Organization, Person
from tests import factories
from tests.pages.reading import statements
from tests.usage import worlds
from tests.usage.worlds import DOLLAR, HOUR
from usage import services
from usage.enums import OnDemand, SubscriptionState
from usage.models import LimitVersion, Pool, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

SignIn = Callable[[Person], Client]
PAGES = [
    "billing",
    "subscribe",
    "limits",
    "commitment",
    "top_up",
    "subscription_cancel",
    "subscription_resume",
]
SEEN_BY_EDITORS = ["billing", "limits"]
CHANGES: list[tuple[str, dict[str, str]]] = [
    ("subscribe", {"plan": "business"}),
    ("limits", {"mode": "unlimited"}),
    ("commitment", {"hours": "200", "confirm": "yes"}),
    ("top_up", {"hours": "10", "confirm": "yes"}),
    ("subscription_cancel", {}),
    ("subscription_resume", {}),
]


def where(name: str, organization: Organization) -> str:
    return reverse(f"pages:{name}", kwargs={"slug": organization.slug})


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def only_text(response: Any) -> str:
    """The page without its markup."""
    return " ".join(strip_tags(response.content.decode()).split())


def state_of(organization: Organization) -> tuple[object, ...]:
    """Everything that these pages can change."""
    subscription = worlds.subscription(organization)
    return (
        subscription.plan_id,
        subscription.next_plan_id,
        subscription.cancel_at,
        subscription.committed_compute_seconds,
        Pool.objects.filter(organization=organization).count(),
        LimitVersion.objects.filter(organization=organization).count(),
    )


class TestWhoSees:
    @pytest.mark.parametrize("name", PAGES)
    def test_an_owner_sees_every_page(
        self, organization: Organization, owner: Person, client_of: SignIn, name: str
    ) -> None:
        assert client_of(owner).get(where(name, organization)).status_code == 200

    @pytest.mark.parametrize("name", PAGES)
    def test_an_editor_sees_usage_and_limits_only(
        self, organization: Organization, editor: Person, client_of: SignIn, name: str
    ) -> None:
        response = client_of(editor).get(where(name, organization))
        assert response.status_code == (200 if name in SEEN_BY_EDITORS else 403)
        if response.status_code == 403:
            assert "Olga Owner" in text_of(response)

    @pytest.mark.parametrize("name", PAGES)
    def test_a_member_sees_the_allowance_and_who_can_change_it(
        self, organization: Organization, member: Person, client_of: SignIn, name: str
    ) -> None:
        response = client_of(member).get(where(name, organization))
        assert response.status_code == (200 if name == "billing" else 403)
        assert "Olga Owner" in text_of(response)

    def test_a_member_does_not_see_what_others_used(
        self,
        organization: Organization,
        owner: Person,
        member: Person,
        client_of: SignIn,
        at: Any,
    ) -> None:
        page = text_of(client_of(member).get(where("billing", organization)))
        assert "100 h" in page
        assert "By member" not in page
        assert "Change the limit" not in page

    @pytest.mark.parametrize("name", PAGES)
    def test_signed_out_goes_to_sign_in(
        self, organization: Organization, client: Client, name: str
    ) -> None:
        response = client.get(where(name, organization))
        assert response.status_code == 302
        assert reverse("account_login") in response.headers["Location"]


class TestWhoChanges:
    @pytest.mark.parametrize(("name", "data"), CHANGES)
    @pytest.mark.parametrize("who", ["editor", "member", "stranger"])
    def test_nobody_but_owners(
        self,
        organization: Organization,
        client_of: SignIn,
        request: pytest.FixtureRequest,
        who: str,
        name: str,
        data: dict[str, str],
    ) -> None:
        before = state_of(organization)
        person = request.getfixturevalue(who)
        response = client_of(person).post(where(name, organization), data)
        assert response.status_code == (404 if who == "stranger" else 403)
        assert state_of(organization) == before

    @pytest.mark.parametrize(("name", "data"), CHANGES[:5])
    def test_an_owner_does(
        self,
        organization: Organization,
        owner: Person,
        client_of: SignIn,
        name: str,
        data: dict[str, str],
    ) -> None:
        before = state_of(organization)
        response = client_of(owner).post(where(name, organization), data)
        assert response.status_code == 302
        assert state_of(organization) != before


class TestSubscribing:
    def test_an_owner_starts_a_trial(self, owner: Person, client_of: SignIn, at: Any) -> None:
        acme = factories.organization(owner, at=at)
        client = client_of(owner)
        assert "Start the trial" in text_of(client.get(where("subscribe", acme)))
        response = client.post(where("subscribe", acme), {"plan": "trial"}, follow=True)
        assert "The organization is subscribed: Trial." in text_of(response)
        assert worlds.subscription(acme).state == SubscriptionState.TRIALING

    @pytest.mark.parametrize("plan", ["", "nonsense", "a" * 41, "../x", "<b>"])
    def test_a_plan_that_does_not_exist_changes_nothing(
        self, owner: Person, client_of: SignIn, at: Any, plan: str
    ) -> None:
        acme = factories.organization(owner, at=at)
        response = client_of(owner).post(where("subscribe", acme), {"plan": plan})
        assert response.status_code == 400
        assert not Subscription.objects.exists()

    def test_a_cheaper_plan_says_from_when_it_holds(
        self, owner: Person, client_of: SignIn, at: Any
    ) -> None:
        acme = factories.subscribed_organization(owner, at=at, plan="business")
        client = client_of(owner)
        assert "From 11 Apr 2026" in only_text(client.get(where("subscribe", acme)))
        response = client.post(where("subscribe", acme), {"plan": "team"}, follow=True)
        assert "The plan changes to Team with the next period." in text_of(response)

    @pytest.mark.parametrize("name", ["limits", "commitment", "top_up", "subscription_cancel"])
    def test_without_a_subscription_the_page_says_so(
        self, owner: Person, client_of: SignIn, at: Any, name: str
    ) -> None:
        acme = factories.organization(owner, at=at)
        response = client_of(owner).get(where(name, acme))
        assert response.status_code == 402
        assert "Choose a plan first" in text_of(response)

    def test_without_a_subscription_the_billing_page_offers_plans(
        self, owner: Person, client_of: SignIn, at: Any
    ) -> None:
        acme = factories.organization(owner, at=at)
        page = text_of(client_of(owner).get(where("billing", acme)))
        assert "No subscription" in page
        assert where("subscribe", acme) in page


class TestCommitting:
    def test_the_price_comes_before_the_change(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        preview = client.post(where("commitment", organization), {"hours": "1,100"})
        left = int(31 * 86_400 - 12 * HOUR)
        charge = 1_000 * HOUR * 40 * left // (31 * 86_400)
        assert f"${charge // DOLLAR:,}.{charge % DOLLAR:06} now" in only_text(preview)
        assert len(worlds.pools(organization)) == 1
        client.post(where("commitment", organization), {"hours": "1,100", "confirm": "yes"})
        assert worlds.pools(organization)[-1].price_microusd == charge

    def test_less_says_that_it_waits(
        self, organization: Organization, owner: Person, client_of: SignIn, at: Any
    ) -> None:
        worlds.commit(organization, owner, at, 300)
        client = client_of(owner)
        preview = client.post(where("commitment", organization), {"hours": "200"})
        assert "From 11 Apr 2026" in only_text(preview)
        client.post(where("commitment", organization), {"hours": "200", "confirm": "yes"})
        assert worlds.subscription(organization).next_committed_compute_seconds == 200 * HOUR

    @pytest.mark.parametrize("name", ["commitment", "top_up"])
    @pytest.mark.parametrize(
        "hours",
        ["", " ", "-1", "0", "1.5", "NaN", "Infinity", "1e3", "12h", "٣٠٠", "9" * 8, "9" * 400],
    )
    @pytest.mark.parametrize("confirm", [{}, {"confirm": "yes"}])
    def test_hours_that_are_none_are_refused_and_kept(
        self,
        organization: Organization,
        owner: Person,
        client_of: SignIn,
        name: str,
        hours: str,
        confirm: dict[str, str],
    ) -> None:
        before = state_of(organization)
        response = client_of(owner).post(where(name, organization), {"hours": hours, **confirm})
        assert response.status_code == 400
        assert "One thing to correct" in text_of(response)
        assert f'value="{hours.strip()}"' in text_of(response) or not hours.strip()
        assert state_of(organization) == before

    def test_a_nul_byte_is_refused(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        response = client_of(owner).post(where("top_up", organization), {"hours": "1\x00"})
        assert response.status_code == 400

    def test_a_top_up_is_bought_after_its_price_was_shown(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        assert "$1.44 once" in only_text(
            client.post(where("top_up", organization), {"hours": "10"})
        )
        assert len(worlds.pools(organization)) == 1
        client.post(where("top_up", organization), {"hours": "10", "confirm": "yes"})
        assert worlds.pools(organization)[-1].price_microusd == 1_440_000


class TestLimits:
    def test_a_limit_is_set_with_its_reason(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        response = client_of(owner).post(
            where("limits", organization),
            {"mode": "limited", "limit": "$1,234.56", "reason": "Release week"},
            follow=True,
        )
        assert "On-demand usage is changed." in text_of(response)
        assert "Release week" in text_of(response)
        assert worlds.allowance(organization).on_demand_limit_microusd == 1_234_560_000

    def test_zero_blocks_on_demand_only(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        client.post(where("limits", organization), {"mode": "limited", "limit": "0"})
        allowance = worlds.allowance(organization)
        assert allowance.on_demand_limit_microusd == 0
        assert allowance.left_compute_seconds == 100 * HOUR
        assert "behaves as off" in text_of(client.get(where("billing", organization)))

    @pytest.mark.parametrize(
        "limit",
        ["", "-5", "NaN", "inf", "1e5", "1.1234567", "9" * 13, "9" * 29, "9" * 400, "1,23", "five"],
    )
    def test_an_amount_that_is_none_is_refused_and_kept(
        self, organization: Organization, owner: Person, client_of: SignIn, limit: str
    ) -> None:
        response = client_of(owner).post(
            where("limits", organization), {"mode": "limited", "limit": limit}
        )
        assert response.status_code == 400
        assert f'value="{limit}"' in text_of(response) or not limit
        assert not LimitVersion.objects.exists()

    def test_an_amount_beyond_reason_is_refused(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        data = {"mode": "limited", "limit": "1000000000.01"}
        response = client_of(owner).post(where("limits", organization), data)
        assert response.status_code == 400
        assert "$1,000,000,000" in text_of(response)

    @pytest.mark.parametrize("mode", ["", "sometimes", "LIMITED"])
    def test_an_unknown_mode_is_refused(
        self, organization: Organization, owner: Person, client_of: SignIn, mode: str
    ) -> None:
        response = client_of(owner).post(where("limits", organization), {"mode": mode})
        assert response.status_code == 400
        assert not LimitVersion.objects.exists()

    def test_what_was_typed_for_a_limit_does_not_matter_to_off(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        data = {"mode": "off", "limit": "rubbish", "let_finish": "on"}
        response = client_of(owner).post(where("limits", organization), data)
        assert response.status_code == 302
        assert worlds.allowance(organization).on_demand_mode == OnDemand.OFF

    def test_a_change_that_ends_sessions_says_so_first(
        self, organization: Organization, owner: Person, client_of: SignIn, at: Any, clock: Any
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 10)
        worlds.use(organization, owner, at, 110 * HOUR)
        clock.shift(timedelta(hours=110))
        client = client_of(owner)
        asked = client.post(where("limits", organization), {"mode": "off"})
        assert "Running sessions will end at" in text_of(asked)
        assert LimitVersion.objects.count() == 1
        done = client.post(
            where("limits", organization), {"mode": "off", "confirm": "yes"}, follow=True
        )
        assert "On-demand usage changes in 10 m." in text_of(done)
        assert "To come" in text_of(done)
        assert "is switched off at" in text_of(client.get(where("billing", organization)))

    def test_an_editor_sees_the_setting_without_a_form(
        self, organization: Organization, editor: Person, client_of: SignIn
    ) -> None:
        page = text_of(client_of(editor).get(where("limits", organization)))
        assert "No change yet" in page
        assert "<button" not in page.partition("<main")[2]


class TestCancelling:
    def test_it_says_what_ends_and_when_and_can_be_taken_back(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        assert "11 Apr 2026" in text_of(client.get(where("subscription_cancel", organization)))
        client.post(where("subscription_cancel", organization))
        assert worlds.subscription(organization).cancel_at is not None
        assert "The subscription is cancelled" in text_of(
            client.get(where("billing", organization))
        )
        client.post(where("subscription_resume", organization))
        assert worlds.subscription(organization).cancel_at is None

    @pytest.mark.parametrize("name", ["subscription_cancel", "subscription_resume"])
    def test_twice_is_a_refusal_and_no_fault(
        self, organization: Organization, owner: Person, client_of: SignIn, name: str
    ) -> None:
        client = client_of(owner)
        if name == "subscription_cancel":
            client.post(where(name, organization))
        assert client.post(where(name, organization)).status_code == 409


class TestNumbers:
    def test_every_part_shows_what_the_ledger_says(
        self,
        organization: Organization,
        owner: Person,
        member: Person,
        client_of: SignIn,
        at: Any,
        clock: Any,
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 10)
        worlds.use(organization, owner, at, 50 * HOUR)
        worlds.use(organization, member, at + timedelta(hours=50), 52 * HOUR, size="large")
        clock.shift(timedelta(hours=102))
        page = only_text(client_of(owner).get(where("billing", organization)))
        assert "102 h" in page
        assert "$0.36" in page
        assert "Max Member" in page
        assert "large" in page

    def test_the_page_of_a_trial_says_when_it_ends(
        self, owner: Person, client_of: SignIn, at: Any
    ) -> None:
        acme = factories.subscribed_organization(owner, at=at, plan="trial")
        page = only_text(client_of(owner).get(where("billing", acme)))
        assert "The trial ends on 25 Mar 2026, 12:00" in page

    def test_after_the_end_the_charts_stay(
        self, owner: Person, client_of: SignIn, at: Any, clock: Any
    ) -> None:
        acme = factories.subscribed_organization(owner, at=at, plan="trial")
        worlds.use(acme, owner, at, HOUR)
        services.settle_subscriptions(at=at + timedelta(days=14))
        clock.shift(timedelta(days=15))
        page = only_text(client_of(owner).get(where("billing", acme)))
        assert "No subscription" in page
        assert "Olga Owner" in page

    def test_it_asks_as_much_for_one_day_as_for_twenty(
        self, organization: Organization, owner: Person, client_of: SignIn, at: Any, clock: Any
    ) -> None:
        client = client_of(owner)
        counts = []
        for days in (1, 20):
            for day in range(days):
                begins = worlds.allowance(organization).metered_until + timedelta(hours=day)
                worlds.use(organization, owner, begins, 60)
            clock.move_to(worlds.allowance(organization).metered_until)
            counts.append(statements(client, where("billing", organization)))
        assert counts[0] == counts[1] <= 15
