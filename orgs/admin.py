"""The operators' pages: they look, and change little. What has a rule goes through a service."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.frames import actor_of, person_of, second_factor_missing
from orgs.models import AuditEntry, Membership, Organization, OutgoingMail, Person
from orgs.selectors.second_factor import has_second_factor
from orgs.services import operating

# Operators sign in as everyone does: with the second factor, and slowed down when they guess.
_may_enter = admin.site.has_permission


def may_enter(request: HttpRequest) -> bool:
    return _may_enter(request) and has_second_factor(person_of(request))


@secure_admin_login  # type: ignore[untyped-decorator]  # allauth has no types
def sign_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Only reached by operators who are signed in: those without a second factor set one up."""
    if not has_second_factor(person_of(request)):
        return second_factor_missing(request)
    return redirect("admin:index")


admin.site.has_permission = may_enter  # type: ignore[method-assign]
admin.site.login = sign_in  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = _("Offload Portal, operators")
admin.site.index_title = _("What there is")


OWN_APPS = frozenset({"orgs", "usage", "offload_sessions"})


def show_own_records_only() -> None:
    """Take away what other packages register: sign-ins, tokens and second factors to be edited.

    Called by the URL map, once every package has registered.
    """
    for model in list(admin.site._registry):
        if model._meta.app_label not in OWN_APPS:
            admin.site.unregister(model)


class LookOnly(admin.ModelAdmin[Any]):
    """Lists and pages without buttons that change."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class MembershipInline(admin.TabularInline[Membership, Organization]):
    model = Membership
    fields = ("person", "role", "joined_at")
    readonly_fields = ("person", "role", "joined_at")
    extra = 0
    can_delete = False
    ordering = ["joined_at", "id"]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Person)
class PersonAdmin(LookOnly):
    """What an operator may change about a person goes through the operators' pages."""

    list_display = ["email", "name", "is_active", "is_staff", "joined_at", "last_login"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    ordering = ["-joined_at", "-id"]
    fields = ["email", "name", "language", "zone", "is_active", "is_staff", "joined_at"]


@admin.register(Organization)
class OrganizationAdmin(LookOnly):
    list_display = ["name", "slug", "zone", "licenses", "licenses_held", "created_at"]
    search_fields = ["name", "slug"]
    ordering = ["-created_at", "-id"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(LookOnly):
    list_display = ["person", "organization", "role", "joined_at"]
    list_filter = ["role"]
    list_select_related = ["person", "organization"]
    search_fields = ["person__email", "person__name", "organization__slug"]
    ordering = ["-joined_at", "-id"]


@admin.register(AuditEntry)
class AuditEntryAdmin(LookOnly):
    list_display = ["at", "event", "organization_id", "actor_id", "subject_kind", "origin"]
    list_filter = ["event"]
    search_fields = ["=organization_id", "=actor_id", "=subject_id"]
    ordering = ["-at", "-id"]
    show_full_result_count = False


class ReasonedActionForm(ActionForm):
    """Each act of an operator has a reason, which stands in the audit log."""

    reason = forms.CharField(label=_("Reason"), max_length=operating.MOST_REASON, required=False)


@admin.register(OutgoingMail)
class OutgoingMailAdmin(LookOnly):
    """All mail of 30 days; what it says is sealed and not shown."""

    list_display = ["created_at", "kind", "to", "organization", "state", "attempts", "last_error"]
    list_filter = ["state", "kind"]
    list_select_related = ["organization"]
    search_fields = ["to", "organization__slug"]
    ordering = ["-created_at", "-id"]
    exclude = ["sealed"]
    show_full_result_count = False
    action_form = ReasonedActionForm
    actions = ["send_again"]

    @admin.action(description=_("Send again"))
    def send_again(self, request: HttpRequest, rows: QuerySet[OutgoingMail]) -> None:
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        try:
            count = operating.send_mail_again(
                actor=actor_of(request),
                at=cut_to_second(timezone.now()),
                mail_ids=keys,
                reason=request.POST.get("reason", ""),
            )
        except Refusal as refusal:
            text = _("None of them failed.") if refusal.status == 404 else refusal.sentence
            self.message_user(request, text, messages.WARNING)
            return
        self.message_user(request, _("Mails on their way again: %s") % count, messages.SUCCESS)
