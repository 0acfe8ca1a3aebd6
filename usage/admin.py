"""The operators' pages of the book: plans and rates are theirs, the rest they look at."""

from datetime import UTC, date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from usage.models import Plan, Rate, Subscription


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin[Plan]):
    """A change holds for those who subscribe or change plan afterwards, and at each new period.

    A plan is withdrawn, never deleted: subscriptions point to it.
    """

    list_display = [
        "name",
        "is_offered",
        "licenses",
        "committed_compute_seconds",
        "price_microusd",
        "on_demand_rate_microusd",
    ]
    ordering = ["position", "slug"]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> list[str]:
        return ["slug"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RateForm(forms.ModelForm[Rate]):
    """What was priced already keeps its rate, so a new one begins on a day to come (rule 16)."""

    class Meta:
        model = Rate
        fields = ["organization", "valid_from", "microusd_per_compute_second"]

    def clean_valid_from(self) -> date:
        day: date = self.cleaned_data["valid_from"]
        if day <= timezone.now().astimezone(UTC).date():
            raise ValidationError(_("A rate holds from a midnight to come, UTC."))
        return day


@admin.register(Rate)
class RateAdmin(admin.ModelAdmin[Rate]):
    form = RateForm
    list_display = ["organization", "valid_from", "microusd_per_compute_second"]
    list_select_related = ["organization"]
    search_fields = ["organization__name", "organization__slug"]
    autocomplete_fields = ["organization"]
    ordering = ["-valid_from", "organization_id"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin[Subscription]):
    list_display = ["organization", "plan", "state", "started_at", "cancel_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["organization", "plan"]
    search_fields = ["organization__name", "organization__slug"]
    ordering = ["-started_at", "-id"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
