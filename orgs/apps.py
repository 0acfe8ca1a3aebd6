from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "orgs"

    def ready(self) -> None:
        """Listen to what allauth tells."""
        from orgs import signals  # noqa: F401
