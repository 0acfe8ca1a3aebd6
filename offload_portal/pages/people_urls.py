from django.urls import path

from offload_portal.pages import member_acts, members

HERE = "organizations/<slug:slug>/members"
urlpatterns = [
    path(f"{HERE}/", members.members, name="members"),
    path(f"{HERE}/members.csv", members.members_csv, name="members_csv"),
    path(f"{HERE}/act/", member_acts.act, name="act_on_members"),
    path(f"{HERE}/undo/<uuid:change_id>/", member_acts.undo, name="undo_members"),
    path(f"{HERE}/<uuid:person_id>/", members.member, name="member"),
]
