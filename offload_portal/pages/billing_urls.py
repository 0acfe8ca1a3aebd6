"""Addresses of usage and billing; offload_portal.pages.urls includes them in its namespace."""

from django.urls import path

from offload_portal.pages import alerts, billing, billing_changes, metrics

urlpatterns = [
    path(
        "organizations/<slug:slug>/metrics",
        metrics.OrganizationMetricsView.as_view(),
        name="metrics",
    ),
    path("organizations/<slug:slug>/subscribe/", billing_changes.subscribe, name="subscribe"),
    path("organizations/<slug:slug>/billing/", billing.billing, name="billing"),
    path("organizations/<slug:slug>/billing/limits/", billing_changes.limits, name="limits"),
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
