from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "offload_portal.api"
    label = "api"
