from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions"
    # django.contrib.sessions holds the label "sessions".
    label = "offload_sessions"
