"""Plans, allowance, usage."""

from datetime import timedelta

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.views import PortalView
from orgs.api.access import OrganizationView
from orgs.enums import Scope
from usage.api.rendering import allowance_json, plan_json
from usage.api.shapes import AllowanceHereShape, OwnCapShape, PlansShape
from usage.selectors import allowance_of, plans_offered
from usage.selectors.caps import own_caps

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
        responses=AllowanceHereShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        place = self.place(slug)
        view = allowance_of(place.organization, self.at)
        # An organization's token is nobody's, so no cap is its own.
        person = place.membership.person_id if view.has_caps else None
        caps = own_caps(place.organization, person, self.at) if person else []
        shown = {"caps": OwnCapShape(caps, many=True).data}
        return self.tagged({**allowance_json(view), **shown})
