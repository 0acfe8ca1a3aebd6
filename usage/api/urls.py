from django.urls import path

from usage.api import views

urlpatterns = [
    path("plans", views.PlansView.as_view()),
    path("organizations/<slug:slug>/allowance", views.AllowanceView.as_view()),
]
