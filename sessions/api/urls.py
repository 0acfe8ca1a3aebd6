from django.urls import path

from sessions.api import acts, views
from sessions.api.engine import EngineView
from sessions.api.usage import UsageCSVView, UsageView

urlpatterns = [
    path("sessions", views.SessionsView.as_view()),
    path("sessions/<uuid:session_id>", views.SessionDetailView.as_view()),
    path("sessions/<uuid:session_id>/activity", acts.ActivityView.as_view()),
    path("sessions/<uuid:session_id>/prompt", acts.PromptView.as_view()),
    path("sessions/<uuid:session_id>/keep-alive", acts.KeepAliveView.as_view()),
    path("sessions/<uuid:session_id>/stop", acts.StopView.as_view()),
    path("sessions/<uuid:session_id>/engine", EngineView.as_view()),
    path("sessions/<uuid:session_id>/insights", views.InsightsView.as_view()),
    path("organizations/<slug:slug>/sessions/stop-all", acts.StopAllView.as_view()),
    path("organizations/<slug:slug>/sessions.csv", views.SessionsCSVView.as_view()),
    path("organizations/<slug:slug>/usage", UsageView.as_view()),
    path("organizations/<slug:slug>/usage.csv", UsageCSVView.as_view()),
]
