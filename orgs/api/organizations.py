"""Organizations and their policy."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.shapes import MembershipShape, NewOrganization, PolicyShape
from orgs.enums import Role, Scope
from orgs.selectors import policy_of, policy_terms


class OrganizationsView(OrganizationView):
    tag = "organizations"
    operation_ids = {"POST": "create_organization"}
    scopes = {"POST": (Scope.ORG_WRITE,)}

    @extend_schema(
        summary="Create an organization",
        description="Its creator is its first owner.",
        request=NewOrganization,
        responses={201: MembershipShape},
        examples=[OpenApiExample("With a name", {"name": "Acme"}, request_only=True)],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(NewOrganization)
        made = services.create_organization(
            actor=self.actor, at=self.at, person=self.person, **body
        )
        value = {"slug": made.slug, "name": made.name, "role": Role.OWNER}
        location = request.build_absolute_uri(f"{request.path}/{made.slug}")
        return Response(MembershipShape(value).data, status=201, headers={"Location": location})


class PolicyView(OrganizationView):
    tag = "organizations"
    operation_ids = {"GET": "get_policy"}
    scopes = {"GET": (Scope.ORG_READ, Scope.SESSIONS)}
    organization_tokens = ("GET",)

    @extend_schema(
        summary="The policy that holds for the caller",
        description=(
            "Clients fetch it at each start and after `refresh_after_seconds`. `version` rises "
            "whenever what holds for the caller changes. A token of an organization gets the "
            "policy of everyone."
        ),
        responses=PolicyShape,
    )
    def get(self, request: Request, slug: str) -> Response:
        organization = self.place(slug).organization
        if self.caller.organization is not None:
            return self.tagged(PolicyShape(policy_terms(organization)).data)
        terms = policy_of(organization, self.person, self.at).terms
        return self.tagged(PolicyShape(terms).data)
