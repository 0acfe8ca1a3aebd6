from django.urls import URLPattern, URLResolver, path

from offload_portal.pages import development, health, styleguide

app_name = "pages"
urlpatterns: list[URLPattern | URLResolver] = [
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("development/mail/", development.mail_list, name="mail"),
    path("development/mail/<slug:name>/", development.mail_page, name="mail_page"),
    path("development/mail/<slug:name>/html/", development.mail_html, name="mail_html"),
]
