"""Addresses of usage and billing; offload_portal.pages.urls includes them in its namespace."""

from django.urls import path

from offload_portal.pages import alerts, billing, billing_changes, caps, metrics

urlpatterns = [
    path(
        "organizations/<slug:slug>/metrics",
        metrics.OrganizationMetricsView.as_view(),
        name="metrics",
    ),
    path("organizations/<slug:slug>/subscribe/", billing_changes.subscribe, name="subscribe"),
    path("organizations/<slug:slug>/billing/", billing.billing, name="billing"),
    path("organizations/<slug:slug>/billing/limits/", billing_changes.limits, name="limits"),
    path("organizations/<slug:slug>/billing/caps/new/", caps.new_cap, name="cap_new"),
    path("organizations/<slug:slug>/billing/caps/<uuid:cap_id>/", caps.edit_cap, name="cap"),
    path(
        "organizations/<slug:slug>/billing/caps/<uuid:cap_id>/lift/", caps.lift_cap, name="cap_lift"
    ),
    path("organizations/<slug:slug>/billing/alerts/", alerts.alerts, name="alerts"),
    path(
        "organizations/<slug:slug>/billing/commitment/",
        billing_changes.commitment,
        name="commitment",
    ),
    path("organizations/<slug:slug>/billing/top-up/", billing_changes.top_up, name="top_up"),
    path(
        "organizations/<slug:slug>/billing/cancel/",
        billing_changes.cancel,
        name="subscription_cancel",
    ),
    path(
        "organizations/<slug:slug>/billing/resume/",
        billing_changes.resume,
        name="subscription_resume",
    ),
]
