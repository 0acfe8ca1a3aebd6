"""`/organizations/{slug}/members`: people beside their last session, and acting on many."""

import uuid
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.idempotency import idempotent
from offload_portal.api.pagination import keyset_page, page_body, page_of, read_cursor
from offload_portal.api.renderers import CSVRenderer, JSONRenderer
from offload_portal.common.csv_cells import csv_response
from offload_portal.common.refusals import not_found
from orgs import services
from orgs.api.access import OrganizationView
from orgs.api.people_shapes import (
    ChangedShape,
    LicensesChangedShape,
    MemberChange,
    MemberQuery,
    MemberShape,
    NewMemberAct,
    TryQuery,
    UndoneShape,
    changed_json,
    licenses_json,
)
from orgs.enums import MemberAct, Scope
from orgs.models import Membership, Organization
from orgs.selectors import MemberFilter, MemberRow, member_rows
from orgs.selectors.previews import MemberStep
from orgs.services.bulk import undoable
from sessions.exports import member_csv_rows
from sessions.selectors.members import members_with_use, order_of

READ, WRITE = (Scope.ORG_READ,), (Scope.ORG_WRITE,)


def member_json(row: MemberRow) -> dict[str, Any]:
    value = {
        "person": row.person,
        "role": row.role,
        "joined_at": row.joined_at,
        "license_state": row.license_state,
        "grants": row.grants,
        "teams": [{"id": key, "name": name} for key, name in row.teams],
        "last_session_at": row.last_session_at,
        "last_sign_in_at": row.last_sign_in_at,
    }
    return dict(MemberShape(value).data)


class MemberAccess(OrganizationView):
    tag = "people"

    def wanted(self) -> MemberFilter:
        return MemberFilter(
            search=self.query.get("search", ""),
            role=self.query.get("role", ""),
            access=self.query.get("license", ""),
            team_id=self.query.get("team"),
        )

    def membership(self, organization: Organization, person_id: uuid.UUID) -> Membership:
        """The member as lists show them; else 404."""
        rows = members_with_use(organization, MemberFilter(person_id=person_id), at=self.at)
        found = rows.first()
        if found is None:
            raise not_found()
        return found

    def answer(self, organization: Organization, person_id: uuid.UUID) -> dict[str, Any]:
        row = self.membership(organization, person_id)
        return member_json(member_rows(organization, [row], self.at)[0])


class MembersView(MemberAccess):
    operation_ids = {"GET": "list_members"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": MemberQuery}

    @extend_schema(summary="Members", responses=page_of(MemberShape))
    def get(self, request: Request, slug: str) -> Response:
        organization = self.seen_by_editors(slug)
        sort = self.query.get("sort", "name")
        order, purpose = order_of(sort), f"members.{organization.pk}.{sort}"
        page = keyset_page(
            members_with_use(
                organization, self.wanted(), at=self.at, used=self.query.get("used", "")
            ),
            order=order,
            cursor=read_cursor(self.query.get("cursor"), purpose, len(order)),
            size=self.page_size,
        )
        rows = member_rows(organization, page.rows, self.at)
        return Response(page_body(request, page, purpose, [member_json(row) for row in rows]))


class MembersCSVView(MemberAccess):
    operation_ids = {"GET": "export_members"}
    scopes = {"GET": READ}
    organization_tokens = ("GET",)
    queries = {"GET": MemberQuery}
    renderer_classes = [CSVRenderer, JSONRenderer]

    @extend_schema(
        summary="Members as CSV",
        description="Streamed; the same filters as the list.",
        responses={(200, "text/csv"): str},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        rows = member_csv_rows(
            self.seen_by_editors(slug),
            self.wanted(),
            used=self.query.get("used", ""),
            sort=self.query.get("sort", "name"),
            at=self.at,
        )
        return csv_response(rows, f"{slug}-members.csv")


class MemberView(MemberAccess):
    operation_ids = {"GET": "get_member", "PATCH": "change_member", "DELETE": "remove_member"}
    scopes = {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}
    organization_tokens = ("GET",)
    queries = {"DELETE": TryQuery}
    refusals = {"PATCH": (409,), "DELETE": (409,)}

    @extend_schema(
        summary="A member",
        description="Members see themselves only.",
        responses=MemberShape,
    )
    def get(self, request: Request, slug: str, person_id: uuid.UUID) -> Response:
        place = self.place(slug)
        if not place.membership.sees_everything and person_id != self.request.user.pk:
            raise not_found()
        return self.tagged(self.answer(place.organization, person_id))

    @extend_schema(
        summary="Change a member's role",
        description="409 `last_owner` where no owner would be left.",
        request=MemberChange,
        responses=MemberShape,
        examples=[OpenApiExample("An editor", {"role": "editor"}, request_only=True)],
    )
    @idempotent
    def patch(self, request: Request, slug: str, person_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        services.change_role(
            actor=self.actor,
            at=self.at,
            organization=organization,
            person=self.membership(organization, person_id).person,
            **self.body(MemberChange),
        )
        return Response(self.answer(organization, person_id))

    @extend_schema(
        summary="Remove a member, or leave",
        description=(
            "Owners remove; everyone may leave by naming themselves. 409 `last_owner` for the "
            "last owner."
        ),
        responses={200: LicensesChangedShape},
    )
    def delete(self, request: Request, slug: str, person_id: uuid.UUID) -> Response:
        own = person_id == self.request.user.pk
        organization = self.place(slug).organization if own else self.owned(slug)
        act = services.leave if own else services.remove_member
        person = self.membership(organization, person_id).person
        done = self.tried(
            lambda: act(actor=self.actor, at=self.at, organization=organization, person=person)
        )
        return Response(LicensesChangedShape(licenses_json(done)).data)


class MemberActsView(MemberAccess):
    operation_ids = {"POST": "act_on_members"}
    scopes = {"POST": WRITE}
    queries = {"POST": TryQuery}
    refusals = {"POST": (409,)}

    @extend_schema(
        summary="Act on many members",
        description=(
            "All of them or none. `remove` refuses who asks (409 `own_membership`). Where "
            "nothing was lost, `undo_id` undoes it within an hour."
        ),
        request=NewMemberAct,
        responses=ChangedShape,
        examples=[
            OpenApiExample(
                "Editors",
                {
                    "act": "role",
                    "role": "editor",
                    "persons": ["01890a5d-ac96-774b-bcce-b302099a8057"],
                },
                request_only=True,
            )
        ],
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        organization = self.owned(slug)
        body = self.body(NewMemberAct)
        step = MemberStep(
            act=MemberAct(body["act"]),
            person_ids=list(dict.fromkeys(body["persons"])),
            role=body.get("role", ""),
            team_id=body.get("team"),
            until=body.get("until"),
        )
        done = self.tried(
            lambda: services.act_on_members(
                actor=self.actor, at=self.at, organization=organization, step=step
            )
        )
        return Response(changed_json(done, tried=bool(self.query.get("dry_run"))))


class UndoView(MemberAccess):
    operation_ids = {"POST": "undo_act"}
    scopes = {"POST": WRITE}
    queries = {"POST": TryQuery}
    refusals = {"POST": (409,)}

    @extend_schema(
        summary="Undo an act",
        description=(
            "Once, within an hour (409 `not_undoable`). Access that was given is taken back; who "
            "was changed since stays as they are."
        ),
        request=None,
        responses=UndoneShape,
    )
    @idempotent
    def post(self, request: Request, slug: str, change_id: uuid.UUID) -> Response:
        organization = self.owned(slug)
        change = undoable(organization, change_id, self.at)
        count = self.tried(
            lambda: services.undo(
                actor=self.actor, at=self.at, organization=organization, change_id=change_id
            )
        )
        return Response(UndoneShape({"kind": change.kind, "count": count}).data)
