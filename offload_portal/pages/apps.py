from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "offload_portal.pages"
    label = "pages"
