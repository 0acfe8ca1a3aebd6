from django.urls import URLPattern, URLResolver, include, path, re_path

from offload_portal.pages import (
    activity,
    activity_advice,
    activity_views,
    billing_urls,
    development,
    emails,
    get_started,
    health,
    home,
    leaving,
    operators_engines,
    operators_meter,
    operators_records,
    overview,
    people_urls,
    plugin,
    session,
    stopping,
    styleguide,
)

app_name = "pages"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("organizations/", home.organizations, name="organizations"),
    re_path(
        # `new` is where one creates an organization.
        r"^organizations/(?!new/)(?P<slug>[-a-zA-Z0-9_]+)/$",
        overview.overview,
        name="overview",
    ),
    path("get-started/", get_started.start_somewhere, name="start_somewhere"),
    path("organizations/<slug:slug>/get-started/", get_started.get_started, name="get_started"),
    path("downloads/<str:name>", plugin.plugin, name="plugin"),
    path("organizations/<slug:slug>/activity/", activity.activity, name="activity"),
    path(
        "organizations/<slug:slug>/activity/times/",
        activity_views.activity_times,
        name="activity_times",
    ),
    path(
        "organizations/<slug:slug>/activity/cost/",
        activity_views.activity_cost,
        name="activity_cost",
    ),
    path(
        "organizations/<slug:slug>/activity/outcomes/",
        activity_views.activity_outcomes,
        name="activity_outcomes",
    ),
    path(
        "organizations/<slug:slug>/activity/advice/",
        activity_advice.activity_advice,
        name="activity_advice",
    ),
    path(
        "organizations/<slug:slug>/activity/sessions.csv",
        activity.activity_csv,
        name="activity_csv",
    ),
    path("organizations/<slug:slug>/sessions/<uuid:id>/", session.session, name="session"),
    path(
        "organizations/<slug:slug>/sessions/<uuid:id>/stop/",
        session.session_stop,
        name="session_stop",
    ),
    path("account/data/", leaving.own_data, name="own_data"),
    path("account/data/download/", leaving.download, name="download_own_data"),
    path("account/delete/", leaving.delete_account, name="delete_account"),
    path(
        "organizations/<slug:slug>/settings/delete/",
        leaving.delete_organization,
        name="delete_organization",
    ),
    path(
        "organizations/<slug:slug>/sessions/<uuid:id>/answer/",
        session.session_answer,
        name="session_answer",
    ),
    path("organizations/<slug:slug>/sessions/stop/", stopping.stop_all, name="stop_all"),
    path("", include(billing_urls)),
    path("", include(people_urls)),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path(
        "operators/organizations/", operators_records.organizations, name="operators_organizations"
    ),
    path(
        "operators/organizations/<uuid:id>/",
        operators_records.organization,
        name="operators_organization",
    ),
    path("operators/people/", operators_records.persons, name="operators_people"),
    path("operators/people/<uuid:id>/", operators_records.person, name="operators_person"),
    path("operators/meter/", operators_meter.meter, name="operators_meter"),
    path("operators/engines/", operators_engines.engines, name="operators_engines"),
    path("operators/engines/<uuid:id>/", operators_engines.engine, name="operators_engine"),
    path("styleguide/emails/", emails.emails, name="emails"),
    path("styleguide/emails/<slug:name>/", emails.email_html, name="email_html"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("development/mail/", development.mail_list, name="mail"),
    path("development/mail/<slug:name>/", development.mail_page, name="mail_page"),
    path("development/mail/<slug:name>/html/", development.mail_html, name="mail_html"),
]
