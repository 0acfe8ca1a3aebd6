"""Scheduled reports: when they go out, to whom, once, and equal to the page they lead to."""

import io
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from PIL import Image

from offload_portal.common.chart_pictures import colour_of, picture_of
from offload_portal.common.chart_theme import Chart
from offload_portal.common.refusals import Refusal
from offload_portal.pages import tasks
from offload_portal.pages.reports_mail import letter_for
from orgs.enums import Event, PrivacyMode
from orgs.models import AuditEntry, Membership, Notification, Organization, Person
from orgs.privacy import pseudonym_of
from orgs.services.outbox import deliver
from sessions.models import ScheduledReport
from sessions.services.erasing import erase_person
from sessions.services.reports import next_sending, report_period, schedule_report, send_report
from tests.factories import actor
from tests.pages.reading import SignIn, words
from tests.sessions import worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
# The fixture `at` is Wednesday, 11 March 2026, 12:00 UTC.
MONDAY = datetime(2026, 3, 16, 7, tzinfo=UTC)


def member_of(organization: Organization, person: Person) -> Membership:
    rows = Membership.objects.select_related("person", "organization")
    return rows.get(organization=organization, person=person)


def ask(
    organization: Organization, person: Person, at: datetime, **wanted: object
) -> ScheduledReport:
    values = {
        "frequency": "weekly",
        "audience": "me",
        "query": "",
        "about": None,
        "zone": UTC_ZONE,
        **wanted,
    }
    return schedule_report(
        actor=actor(person),
        at=at,
        membership=member_of(organization, person),
        **values,  # type: ignore[arg-type]  # each is what its name says
    )


class TestWhen:
    @pytest.mark.parametrize(
        ("now", "due"),
        [
            (datetime(2026, 3, 16, 6, 59, 59, tzinfo=UTC), MONDAY),
            (MONDAY, MONDAY + 7 * DAY),
            (MONDAY + timedelta(seconds=1), MONDAY + 7 * DAY),
            (MONDAY - 7 * DAY, MONDAY),
        ],
    )
    def test_weekly_is_monday_at_seven_and_always_ahead(self, now: datetime, due: datetime) -> None:
        assert next_sending("weekly", UTC_ZONE, now) == due

    @pytest.mark.parametrize(
        ("now", "due"),
        [
            (datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, 6, tzinfo=UTC)),
            (datetime(2026, 2, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)),
            (datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 4, 1, 5, tzinfo=UTC)),
            (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        ],
    )
    def test_monthly_is_the_first_at_seven_of_the_zone_also_in_summer(
        self, now: datetime, due: datetime
    ) -> None:
        assert next_sending("monthly", BERLIN, now) == due

    def test_the_period_is_whole_days_of_the_zone_across_a_change_of_clocks(self) -> None:
        """Lord Howe's clocks go back by half an hour on 5 April 2026."""
        sent = next_sending("weekly", LORD_HOWE, datetime(2026, 4, 1, tzinfo=UTC))
        week = report_period("weekly", LORD_HOWE, sent)
        assert week.seconds == 7 * 86_400 + 1_800
        assert week.start.astimezone(LORD_HOWE).isoformat() == "2026-03-30T00:00:00+11:00"
        assert week.end.astimezone(LORD_HOWE).isoformat() == "2026-04-06T00:00:00+10:30"
        month = report_period("monthly", BERLIN, datetime(2026, 4, 1, 5, tzinfo=UTC))
        assert month.seconds == 31 * 86_400 - 3_600


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
class TestSending:
    @pytest.fixture
    def place(
        self, organization: Organization, owner: Person, member: Person, at: datetime
    ) -> Organization:
        worlds.session(organization, owner, at, 3_600, images=["node:22"], size="large")
        worlds.session(organization, member, at + 2 * HOUR, 600, images=["redis:7"])
        return organization

    def test_it_says_what_the_page_says_that_it_leads_to(
        self,
        place: Organization,
        owner: Person,
        at: datetime,
        client_of: SignIn,
        clock: time_machine.Traveller,
    ) -> None:
        report = ask(place, owner, at, query="engine=large", zone=BERLIN)
        clock.move_to(report.next_at)
        letter = letter_for(report, member_of(place, owner))

        link = urlsplit(letter["link"])
        assert parse_qs(link.query) == {
            "engine": ["large"],
            "since": ["2026-03-09"],
            "until": ["2026-03-15"],
        }
        Organization.objects.filter(pk=place.pk).update(zone="Europe/Berlin")
        page = client_of(owner).get(f"{link.path}?{link.query}")
        assert letter["figures"] == [
            {"label": figure.label, "value": figure.value, "change": figure.change}
            for figure in page.context["figures"]
        ]
        assert letter["figures"][0]["value"] == "1 h"
        images = page.context["images"].rows
        assert letter["tables"][1]["rows"] == [[str(cell) for cell in row] for row in images]
        cost = client_of(owner).get(f"{link.path}cost/?{link.query}").context["by"].rows
        assert letter["tables"][0]["rows"] == [[cost[0][n] for n in (0, 1, 2, 5, 6)]]

    def test_it_goes_out_once_with_pictures_and_is_kept_as_a_look(
        self,
        place: Organization,
        owner: Person,
        at: datetime,
        outbox: list[EmailMultiAlternatives],
        clock: time_machine.Traveller,
    ) -> None:
        report = ask(place, owner, at)
        clock.move_to(report.next_at - timedelta(seconds=1))
        tasks.send_reports()
        assert not outbox
        clock.move_to(report.next_at)
        tasks.send_reports()
        tasks.send_reports()
        deliver(at=report.next_at)

        (mail,) = outbox
        assert mail.subject == "Acme: activity from 9 Mar 2026 to 15 Mar 2026"
        html = str(mail.alternatives[0][0])
        for part in mail.attachments:
            name = part["Content-ID"].strip("<>")
            assert f'src="cid:{name}"' in html
            Image.open(io.BytesIO(part.get_payload(decode=True))).verify()
        assert len(mail.attachments) == 3
        assert mail.message().get_content_type() == "multipart/related"
        fresh = ScheduledReport.objects.get()
        assert (fresh.sent_at, fresh.next_at) == (report.next_at, report.next_at + 7 * DAY)
        assert AuditEntry.objects.get(event=Event.INSIGHTS_EXPORTED).after == {"what": "report"}
        facts = Notification.objects.get(person=owner, kind="activity_report").facts
        assert facts["pictures"] == [], "the portal keeps no picture"

    def test_two_who_send_it_at_once_send_it_once(
        self, place: Organization, owner: Person, at: datetime
    ) -> None:
        report = ask(place, owner, at)
        write = partial(letter_for, report)
        assert send_report(at=report.next_at, report=report, write=write) == 1
        assert send_report(at=report.next_at, report=report, write=write) == 0

    def test_a_late_one_says_what_it_would_have_said_in_time(
        self, place: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        report = ask(place, owner, at)
        in_time = letter_for(report, member_of(place, owner))
        worlds.session(place, member, report.next_at + HOUR, 900)
        assert letter_for(report, member_of(place, owner)) == in_time

    def test_all_owners_and_editors_get_theirs_and_members_their_own(
        self,
        place: Organization,
        owner: Person,
        editor: Person,
        member: Person,
        at: datetime,
        outbox: list[EmailMultiAlternatives],
        clock: time_machine.Traveller,
    ) -> None:
        report = ask(place, owner, at, audience="seers")
        ask(place, member, at)
        clock.move_to(report.next_at)
        tasks.send_reports()
        deliver(at=report.next_at)
        subjects = {mail.to[0]: mail.subject for mail in outbox}
        assert set(subjects) == {owner.email, editor.email, member.email}
        assert subjects[member.email].startswith("Acme: your sessions")
        own = next(str(mail.body) for mail in outbox if mail.to == [member.email])
        assert "Olga" not in own
        assert "Sessions   1" in own

    def test_who_has_left_gets_nothing_and_their_report_ends(
        self, place: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        report = ask(place, member, at)
        Membership.objects.filter(organization=place, person=member).delete()
        with time_machine.travel(report.next_at, tick=False):
            tasks.send_reports()
        assert not ScheduledReport.objects.exists()
        assert not Notification.objects.filter(kind="activity_report").exists()

    def test_an_editor_who_became_a_member_gets_their_own_alone(
        self, place: Organization, editor: Person, at: datetime
    ) -> None:
        report = ask(place, editor, at, audience="seers")
        Membership.objects.filter(organization=place, person=editor).update(role="member")
        with time_machine.travel(report.next_at, tick=False):
            tasks.send_reports()
        (news,) = Notification.objects.filter(kind="activity_report")
        assert (news.person, news.facts["own"]) == (editor, True)

    def test_one_that_can_t_be_written_does_not_hold_up_the_others(
        self,
        place: Organization,
        owner: Person,
        editor: Person,
        at: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first, _second = ask(place, owner, at), ask(place, editor, at)

        def written(report: ScheduledReport, reader: Membership) -> dict[str, object]:
            if report.pk == first.pk:
                raise ValueError("The picture fell off the wall.")
            return letter_for(report, reader)

        monkeypatch.setattr(tasks, "letter_for", written)
        with time_machine.travel(first.next_at, tick=False):
            tasks.send_reports()
        assert [news.person for news in Notification.objects.filter(kind="activity_report")] == [
            editor
        ]
        assert ScheduledReport.objects.get(pk=first.pk).sent_at is None

    def test_privacy_holds_in_reports(
        self, place: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        report = ask(place, owner, at, about=member.pk)
        named = letter_for(report, member_of(place, owner))
        assert member.email in str(named)
        Organization.objects.filter(pk=place.pk).update(privacy=PrivacyMode.PSEUDONYMOUS)
        fresh = ScheduledReport.objects.select_related("organization", "about").get()
        veiled = str(letter_for(fresh, member_of(place, owner)))
        assert pseudonym_of(place.pk, member.pk).code in veiled
        assert member.email not in veiled
        assert member.name not in veiled
        Organization.objects.filter(pk=place.pk).update(privacy=PrivacyMode.AGGREGATE)
        whole = ask(place, owner, at)
        assert letter_for(whole, member_of(place, owner))["problem"] == "too_few"

    def test_a_team_that_is_gone_is_said(
        self, place: Organization, owner: Person, at: datetime
    ) -> None:
        report = ask(place, owner, at, query="team=01a22c00-0000-7000-8000-000000000000")
        assert letter_for(report, member_of(place, owner))["problem"] == "filters"

    def test_an_erased_person_s_reports_go(
        self, place: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        ask(place, member, at)
        ask(place, owner, at, about=member.pk)
        erase_person(actor=actor(member), at=at + DAY, person=member)
        assert not ScheduledReport.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
class TestPages:
    def test_one_asks_for_it_with_the_filters_of_the_page_and_ends_it(
        self, organization: Organization, owner: Person, member: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        worlds.start(organization, member, datetime(2026, 3, 11, 12, tzinfo=UTC))
        where = reverse("pages:new_report", args=[organization.slug])
        query = f"?engine=large&user={member.email}&period=7&by=team"
        assert "User: " + member.email in words(client.get(where + query))
        client.post(where + query, {"frequency": "monthly", "audience": "seers"})
        (report,) = ScheduledReport.objects.all()
        assert (report.query, report.about) == ("engine=large", member)
        assert (report.frequency, report.audience) == ("monthly", "seers")
        listed = words(client.get(reverse("pages:reports", args=[organization.slug])))
        assert "Engine size: large" in listed
        assert member.name in listed
        client.post(reverse("pages:report_end", args=[organization.slug, report.pk]))
        assert not ScheduledReport.objects.exists()
        events = AuditEntry.objects.filter(event__startswith="report.").order_by("at", "id")
        assert [entry.event for entry in events] == ["report.scheduled", "report.ended"]

    def test_wrong_filters_and_choices_are_refused_with_the_cure(
        self, organization: Organization, owner: Person, client_of: SignIn
    ) -> None:
        where = reverse("pages:new_report", args=[organization.slug])
        client = client_of(owner)
        wrong = client.post(where + "?label=web", {"frequency": "weekly", "audience": "me"})
        assert wrong.status_code == 400
        assert "Go back to Activity, which says which" in words(wrong)
        assert client.post(where, {"frequency": "daily", "audience": "me"}).status_code == 400
        assert not ScheduledReport.objects.exists()

    def test_the_twenty_first_is_refused(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        for _number in range(20):
            ask(organization, owner, at)
        with pytest.raises(Refusal) as refused:
            ask(organization, owner, at)
        assert refused.value.code == "too_many_reports"

    def test_a_member_can_t_have_everybody_s_sent(
        self, organization: Organization, member: Person, at: datetime
    ) -> None:
        with pytest.raises(Refusal) as refused:
            ask(organization, member, at, audience="seers")
        assert refused.value.status == 403


class TestPictures:
    def chart(self, **figure: object) -> Chart:
        return Chart(id="c", title="C", headers=["A"], rows=[], figure=dict(figure))

    def test_colours_are_the_light_theme_s_tokens(self) -> None:
        assert colour_of("#ff0000") == (1, 0, 0, 1)
        red, green, blue, opacity = colour_of("var:--chart-1/0.35")
        assert (round(red * 255), round(green * 255), round(blue * 255)) == (0x51, 0x28, 0xC6)
        assert opacity == 0.35

    def test_a_bar_has_its_token_s_colour_and_the_picture_its_size(self) -> None:
        chart = self.chart(
            data=[{"type": "bar", "x": ["a"], "y": [1], "marker": {"color": "var:--chart-1"}}],
            layout={"yaxis": {}},
        )
        with Image.open(io.BytesIO(picture_of(chart, width=400, height=200))) as picture:
            assert picture.size == (400, 200)
            colours = {colour for _count, colour in picture.convert("RGB").getcolors(80_000)}  # type: ignore[union-attr]  # few
        assert (0x51, 0x28, 0xC6) in colours

    def test_nothing_to_draw_is_no_picture(self) -> None:
        chart = Chart(id="c", title="C", headers=["A"], rows=[], figure=None)
        with pytest.raises(ValueError, match="nothing to draw"):
            picture_of(chart)
