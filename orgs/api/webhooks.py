"""`/organizations/{slug}/webhooks`: receivers of events, signed as Standard Webhooks says."""

import uuid

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import (
    PageQuery,
    keyset_page,
    page_body,
    page_of,
    read_cursor,
)
from offload_portal.api.serializers import FlagField, InstantField, Shape, TextField, WordField
from orgs.api.access import OrganizationView
from orgs.chat import MOST_TEMPLATE_LETTERS
from orgs.enums import DeliveryState, Scope, WebhookEvent, WebhookStyle
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.selectors.webhooks import endpoints_of, find_endpoint
from orgs.services import webhooks

NEWEST = ("-created_at", "-id")


class WebhookShape(Shape):
    id = serializers.UUIDField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(WebhookEvent.choices))
    style = serializers.ChoiceField(WebhookStyle.choices)  # type: ignore[assignment]  # a field
    template = serializers.CharField(help_text="Of a chat's line; empty is the usual one.")
    is_enabled = serializers.BooleanField(
        help_text="False where it was switched off, was gone (410), or failed for five days."
    )
    failing_since = InstantField(allow_null=True)
    old_secret_until = InstantField(
        allow_null=True, help_text="Until then the secret before signs beside the present one."
    )
    created_at = InstantField()


class WebhooksShape(Shape):
    results = WebhookShape(many=True)


class NewWebhook(Shape):
    url = TextField(max_length=500, help_text="https, of a public address.")
    events = serializers.ListField(child=WordField(WebhookEvent.choices), min_length=1)
    style = WordField(  # type: ignore[assignment]  # a field
        WebhookStyle.choices, required=False, help_text="`standard` if left out."
    )
    template = TextField(
        max_length=MOST_TEMPLATE_LETTERS,
        required=False,
        allow_blank=True,
        help_text="Of a chat's line: {title}, {organization}, {details}, {time}, {link}, {data.…}.",
    )


class WebhookChange(Shape):
    url = TextField(max_length=500, required=False)
    events = serializers.ListField(
        child=WordField(WebhookEvent.choices), min_length=1, required=False
    )
    style = WordField(WebhookStyle.choices, required=False)  # type: ignore[assignment]  # a field
    template = TextField(max_length=MOST_TEMPLATE_LETTERS, required=False, allow_blank=True)
    is_enabled = FlagField(required=False)


class WebhookSecretShape(Shape):
    secret = serializers.CharField(help_text="`whsec_…`; shown this once.")
    old_secret_until = InstantField()


class DeliveryShape(Shape):
    id = serializers.UUIDField()
    event = serializers.CharField(help_text="One of the list, or `test`.")
    state = serializers.ChoiceField(DeliveryState.choices)
    attempts = serializers.IntegerField()
    created_at = InstantField()
    next_attempt_at = InstantField()
    delivered_at = InstantField(allow_null=True)
    status = serializers.IntegerField(allow_null=True, help_text="HTTP's, of the last attempt.")
    answer = serializers.CharField(help_text="The beginning of what the receiver said.")
    error = serializers.CharField(help_text="Why no answer came.")
    body = serializers.CharField(help_text="What was signed and sent.")


class WebhookView(OrganizationView):
    tag = "organization"


class WebhooksView(WebhookView):
    operation_ids = {"GET": "list_webhooks", "POST": "create_webhook"}
    scopes = {"GET": (Scope.ORG_READ,), "POST": (Scope.ORG_WRITE,)}
    refusals = {"POST": (409,)}

    @extend_schema(summary="Webhooks", responses=WebhooksShape)
    def get(self, request: Request, slug: str) -> Response:
        rows = endpoints_of(self.owned(slug))
        return self.tagged({"results": WebhookShape(rows, many=True).data})

    @extend_schema(
        summary="Add a webhook",
        description="At most ten. `POST …/secret` then gives the secret that checks signatures.",
        request=NewWebhook,
        responses={201: WebhookShape},
        examples=[
            OpenApiExample(
                "Alerts",
                {"url": "https://hooks.example.com/offload", "events": ["alert.raised"]},
                request_only=True,
            )
        ],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        made = self.tried(
            lambda: webhooks.add_endpoint(
                actor=self.actor, at=self.at, organization=organization, **self.body(NewWebhook)
            )
        )
        return Response(WebhookShape(made.endpoint).data, status=201)


class WebhookItemView(WebhookView):
    operation_ids = {"GET": "get_webhook", "PATCH": "change_webhook", "DELETE": "delete_webhook"}
    scopes = {
        "GET": (Scope.ORG_READ,),
        "PATCH": (Scope.ORG_WRITE,),
        "DELETE": (Scope.ORG_WRITE,),
    }

    @extend_schema(summary="A webhook", responses=WebhookShape)
    def get(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        return self.tagged(WebhookShape(find_endpoint(self.owned(slug), webhook_id)).data)

    @extend_schema(
        summary="Change a webhook, or switch it off and on",
        request=WebhookChange,
        responses=WebhookShape,
        examples=[OpenApiExample("Off", {"is_enabled": False}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        row = webhooks.change_endpoint(
            actor=self.actor,
            at=self.at,
            organization=self.owned(slug),
            endpoint_id=webhook_id,
            **self.body(WebhookChange),
        )
        return Response(WebhookShape(row).data)

    @extend_schema(
        summary="Delete a webhook, with its deliveries", request=None, responses={204: None}
    )
    def delete(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        webhooks.remove_endpoint(
            actor=self.actor, at=self.at, organization=organization, endpoint_id=webhook_id
        )
        return Response(status=204)


class WebhookSecretView(WebhookView):
    operation_ids = {"POST": "rotate_webhook_secret"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(
        summary="A new secret",
        description=(
            "The one before signs beside it for a day. No answer is kept for an "
            "`Idempotency-Key`, since it would keep the secret: asking again gives another one."
        ),
        request=None,
        responses=WebhookSecretShape,
    )
    def post(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        made = webhooks.rotate_secret(
            actor=self.actor, at=self.at, organization=self.owned(slug), endpoint_id=webhook_id
        )
        value = {"secret": made.secret, "old_secret_until": made.endpoint.old_secret_until}
        return Response(WebhookSecretShape(value).data)


class WebhookTestView(WebhookView):
    operation_ids = {"POST": "test_webhook"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(summary="Send an event `test`", request=None, responses={201: DeliveryShape})
    @idempotent
    def post(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        made = webhooks.send_test(
            actor=self.actor, at=self.at, organization=self.owned(slug), endpoint_id=webhook_id
        )
        return Response(DeliveryShape(made).data, status=201)


class DeliveriesView(WebhookView):
    operation_ids = {"GET": "list_webhook_deliveries"}
    scopes = {"GET": (Scope.ORG_READ,)}
    queries = {"GET": PageQuery}

    @extend_schema(summary="Deliveries of 30 days, newest first", responses=page_of(DeliveryShape))
    def get(self, request: Request, slug: str, webhook_id: uuid.UUID) -> Response:
        endpoint: WebhookEndpoint = find_endpoint(self.owned(slug), webhook_id)
        purpose = f"deliveries.{endpoint.pk}"
        page = keyset_page(
            WebhookDelivery.objects.filter(endpoint=endpoint),
            order=NEWEST,
            cursor=read_cursor(self.query.get("cursor"), purpose, len(NEWEST)),
            size=self.page_size,
        )
        results = [dict(DeliveryShape(row).data) for row in page.rows]
        return Response(page_body(request, page, purpose, results))


class ReplayView(WebhookView):
    operation_ids = {"POST": "replay_webhook_delivery"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(summary="Send an event once more", request=None, responses={201: DeliveryShape})
    @idempotent
    def post(self, request: Request, slug: str, delivery_id: uuid.UUID) -> Response:
        made = webhooks.replay(
            actor=self.actor, at=self.at, organization=self.owned(slug), delivery_id=delivery_id
        )
        return Response(DeliveryShape(made).data, status=201)
