from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "offload_portal.common"
    label = "common"
