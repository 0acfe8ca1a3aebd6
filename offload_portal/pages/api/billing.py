"""Subscription, top-ups and limits: they meter first, so they go through `sessions`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.problems import invalid
from offload_portal.common.refusals import Refusal
from offload_portal.pages.api.accounts import period_json
from offload_portal.pages.api.cap_shapes import CapShape, CapVersionShape
from offload_portal.pages.api.shapes import (
    AlertShape,
    ChangeQuery,
    LimitChangeShape,
    LimitHistoryShape,
    LimitsChange,
    LimitsPreviewShape,
    LimitsShape,
    NewSubscription,
    SubscriptionChange,
    SubscriptionShape,
    TopUp,
    TopUpShape,
)
from orgs.api.access import OrganizationView, whom_to_ask
from orgs.enums import Scope
from orgs.models import Organization
from sessions.models import Session
from sessions.selectors.caps import shown_caps
from sessions.selectors.hindsight import hindsight_of_limit
from sessions.services import change_allowance
from usage import services
from usage.enums import OnDemand
from usage.models import Plan
from usage.selectors import (
    AllowanceView,
    LimitState,
    Setting,
    allowance_of,
    find_plan,
    limit_history,
    subscription_of,
)
from usage.selectors.alerts import alert_choice, open_alerts
from usage.selectors.caps import cap_history
from usage.services.alerts import choose_alerts

T = TypeVar("T")
QUOTED = ("charge_microusd", "effective_at")


class BillingView(OrganizationView):
    tag = "billing"
    organization_tokens = ("GET",)

    def changed(self, organization: Organization, change: Callable[[datetime], T]) -> T:
        return change_allowance(organization=organization, at=self.at, change=change)


def chosen_plan(slug: str) -> Plan:
    plan = find_plan(slug)
    if plan is None:
        raise invalid({"plan": [_("There is no such plan in the catalog.")]})
    return plan


class SubscriptionView(BillingView):
    operation_ids = {
        "GET": "get_subscription",
        "POST": "subscribe",
        "PATCH": "change_subscription",
    }
    scopes = {
        "GET": (Scope.ORG_READ,),
        "POST": (Scope.ORG_WRITE,),
        "PATCH": (Scope.ORG_WRITE,),
    }
    queries = {"POST": ChangeQuery, "PATCH": ChangeQuery}
    refusals = {"GET": (402,), "POST": (402, 409), "PATCH": (402, 409)}

    @extend_schema(
        summary="The subscription",
        description="402 `not_subscribed` where there is none.",
        responses=SubscriptionShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.tagged(self._json(self.place(slug).organization))

    @extend_schema(
        summary="Subscribe",
        request=NewSubscription,
        responses={
            201: SubscriptionShape,
            200: OpenApiResponse(SubscriptionShape, "What it would be (`dry_run`)."),
        },
        examples=[OpenApiExample("A trial", {"plan": "trial"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.paying(slug)
        body = self.body(NewSubscription)
        plan = chosen_plan(body.pop("plan"))

        def subscribe(at: datetime) -> Any:
            return services.subscribe(
                actor=self.actor, at=at, organization=organization, plan=plan, **body
            )

        value = self.tried(
            lambda: (self.changed(organization, subscribe), self._json(organization))
        )
        return Response(value[1], status=200 if self.query.get("dry_run") else 201)

    @extend_schema(
        summary="Change, cancel or resume the subscription",
        request=SubscriptionChange,
        responses=SubscriptionShape,
        examples=[OpenApiExample("Another plan", {"plan": "business"}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str) -> Response:
        organization = self.paying(slug)
        name, value = next(iter(self.body(SubscriptionChange).items()))
        change = self._change(organization, name, value)

        def work() -> dict[str, Any]:
            quote = self.changed(organization, change)
            return self._json(organization, quote)

        return Response(self.tried(work))

    def _change(
        self, organization: Organization, name: str, value: Any
    ) -> Callable[[datetime], Any]:
        who: dict[str, Any] = {"actor": self.actor, "organization": organization}
        if name == "plan":
            plan = chosen_plan(value)
            return lambda at: services.change_plan(at=at, plan=plan, **who)
        if name == "committed_compute_seconds":
            return lambda at: services.change_commitment(at=at, compute_seconds=value, **who)
        if value:
            return lambda at: services.cancel(at=at, **who)
        return lambda at: services.resume(at=at, **who)

    def _json(self, organization: Organization, quote: Any = None) -> dict[str, Any]:
        row = subscription_of(organization)
        if row is None:
            sentence = _(
                "The organization has no subscription to Offload; an owner can choose a plan."
            )
            raise Refusal("not_subscribed", sentence, 402, whom_to_ask(organization))
        value = {name: getattr(row, name) for name in COLUMNS}
        value["plan"] = row.plan.slug
        value["next_plan"] = row.next_plan.slug if row.next_plan else None
        value["period"] = None
        for name in QUOTED:
            value[name] = getattr(quote, name, None)
        shown = dict(SubscriptionShape(value).data)
        shown["period"] = period_json(allowance_of(organization, self.at))
        return shown


COLUMNS = (
    "state",
    "licenses",
    "committed_compute_seconds",
    "next_committed_compute_seconds",
    "price_microusd",
    "started_at",
    "trial_ends_at",
    "cancel_at",
)


class TopUpsView(BillingView):
    operation_ids = {"POST": "buy_top_up"}
    scopes = {"POST": (Scope.ORG_WRITE,)}
    queries = {"POST": ChangeQuery}
    refusals = {"POST": (402, 409)}

    @extend_schema(
        summary="Buy a top-up",
        description="Compute time for the rest of the period, drawn after committed time.",
        request=TopUp,
        responses={
            201: TopUpShape,
            200: OpenApiResponse(TopUpShape, "What it would cost (`dry_run`)."),
        },
        examples=[OpenApiExample("An hour", {"compute_seconds": 3600}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.paying(slug)
        seconds = self.body(TopUp)["compute_seconds"]

        def buy(at: datetime) -> Any:
            return services.buy_top_up(
                actor=self.actor, at=at, organization=organization, compute_seconds=seconds
            )

        pool = self.tried(lambda: self.changed(organization, buy))
        status = 200 if self.query.get("dry_run") else 201
        return Response(TopUpShape(pool).data, status=status)


class LimitsView(BillingView):
    operation_ids = {"GET": "get_limits", "PUT": "set_limits"}
    scopes = {"GET": (Scope.ORG_READ,), "PUT": (Scope.ORG_WRITE,)}
    queries = {"PUT": ChangeQuery}
    refusals = {"PUT": (402, 409)}

    @extend_schema(summary="On-demand usage and its limit", responses=LimitsShape)
    def get(self, request: Request, slug: str) -> Response:
        return self.tagged(self._json(self.seen_by_payers(slug)))

    @extend_schema(
        summary="Set on-demand usage off, limited or unlimited",
        description=(
            "Neither touches committed time. A limit lowered under what is used takes effect after "
            "a notice, unless `at_once`. `?dry_run=true` shows what it would end and refuse."
        ),
        request=LimitsChange,
        responses=LimitsPreviewShape,
        examples=[
            OpenApiExample(
                "Up to 20 dollars",
                {"mode": "limited", "limit_microusd": 20000000},
                request_only=True,
            )
        ],
    )
    @idempotent
    def put(self, request: Request, slug: str) -> Response:
        organization = self.paying(slug)
        body = self.body(LimitsChange)
        alerts = {
            "thresholds": body.pop("alert_thresholds", None),
            "recipients": body.pop("alert_recipients", None),
        }

        def change(at: datetime) -> Any:
            choose_alerts(actor=self.actor, at=at, organization=organization, **alerts)
            return services.set_on_demand(
                actor=self.actor, at=at, organization=organization, **body
            )

        def work() -> dict[str, Any]:
            version = self.changed(organization, change)
            bound = Setting(OnDemand(version.mode), version.limit_microusd).bound
            return self._preview(organization, version.effective_at, bound)

        return Response(self.tried(work))

    def _preview(
        self, organization: Organization, effective_at: datetime, bound_microusd: int | None
    ) -> dict[str, Any]:
        allowance = allowance_of(organization, self.at)
        value = self._json(organization)
        nothing = allowance.left_compute_seconds == 0 and not allowance.let_finish
        running = Session.objects.for_organization(organization).running()
        ends = list(running.order_by("created_at", "id").values_list("pk", flat=True))
        ready = {name: value[name] for name in ("coming", "period", "alerts", "caps")}
        before = hindsight_of_limit(organization, bound_microusd)
        shown = LimitsPreviewShape(
            {
                **value,
                "coming": [],
                "period": None,
                "alerts": [],
                "caps": [],
                "would_have": before,
                "effective_at": effective_at,
                "left_compute_seconds": allowance.left_compute_seconds,
                "would_refuse_starts": allowance.left_compute_seconds == 0,
                "would_end": ends if nothing else [],
            }
        ).data
        return {**shown, **ready}

    def _json(self, organization: Organization) -> dict[str, Any]:
        allowance: AllowanceView = allowance_of(organization, self.at)
        choice = alert_choice(organization)
        changes = limit_history(organization, self.at)
        coming = [row for row in changes if row.state is LimitState.TO_COME]
        return {
            "mode": str(allowance.on_demand_mode),
            "limit_microusd": allowance.on_demand_limit_microusd,
            "let_finish": allowance.let_finish,
            "used_microusd": allowance.on_demand.used_microusd,
            "coming": LimitChangeShape(coming, many=True).data,
            "period": period_json(allowance),
            "alert_thresholds": list(choice.thresholds),
            "alert_recipients": [str(key) for key in choice.recipients],
            "alerts": AlertShape(open_alerts(organization), many=True).data,
            "caps": CapShape(shown_caps(organization, self.at), many=True).data,
        }


class LimitHistoryView(BillingView):
    operation_ids = {"GET": "list_limit_changes"}
    scopes = {"GET": (Scope.ORG_READ,)}

    @extend_schema(
        summary="Who changed the limit, and caps, newest first", responses=LimitHistoryShape
    )
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_payers(slug)
        changes = limit_history(organization, self.at)
        caps = CapVersionShape(cap_history(organization, self.at), many=True).data
        return self.tagged({"results": LimitChangeShape(changes, many=True).data, "caps": caps})
