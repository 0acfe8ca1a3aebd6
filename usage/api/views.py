"""Plans, allowance, usage."""

from datetime import timedelta

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.views import PortalView
from orgs.api.access import OrganizationView
from orgs.enums import Scope
from usage.api.rendering import allowance_json, plan_json
from usage.api.shapes import (
    AllowanceShape,
    PlansShape,
)
from usage.selectors import allowance_of, plans_offered

USUAL_RANGE = timedelta(days=30)
CSV_COLUMNS = (
    "Start",
    "End",
    "Group",
    "Name",
    "Wall seconds",
    "Compute-seconds",
    "Sessions",
    "Micro-dollars",
)


class PlansView(PortalView):
    tag = "billing"
    operation_ids = {"GET": "list_plans"}
    organization_tokens = ("GET",)

    @extend_schema(summary="The catalog of plans", responses=PlansShape)
    def get(self, request: Request) -> Response:
        return self.tagged({"results": [plan_json(plan) for plan in plans_offered()]})


class AllowanceView(OrganizationView):
    tag = "billing"
    operation_ids = {"GET": "get_allowance"}
    scopes = {"GET": (Scope.ORG_READ, Scope.USAGE_READ, Scope.SESSIONS)}
    organization_tokens = ("GET",)

    @extend_schema(
        summary="What may still be used",
        description="Committed, then top-ups, then on-demand up to its limit.",
        responses=AllowanceShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        organization = self.place(slug).organization
        return self.tagged(allowance_json(allowance_of(organization, self.at)))
