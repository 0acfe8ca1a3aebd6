"""Mail without SMTP: printed, kept, and shown on a page for development only."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from offload_portal.common import mail

URL = "/development/mail/"


@pytest.fixture(autouse=True)
def _folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "offload_portal.common.mail.TerminalAndPageBackend"
    settings.MAIL_DIR = tmp_path / "mail"


def send(subject: str = "Confirm", text: str = "https://portal.example/go", html: str = "") -> None:
    message = EmailMultiAlternatives(subject, text, to=["ada@example.com"])
    if html:
        message.attach_alternative(html, "text/html")
    message.send()


def test_mail_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    send()
    printed = capsys.readouterr().out
    assert "To: ada@example.com\nSubject: Confirm\n\nhttps://portal.example/go" in printed


@pytest.mark.django_db
class TestPage:
    def test_it_lists_mail_and_its_links_work(self, client: Client) -> None:
        send(subject="Invitation <1>")
        assert b"Invitation &lt;1&gt;" in client.get(URL).content
        page = client.get(f"{URL}{mail.kept_mails()[0].name}/").content
        assert b'<a href="https://portal.example/go"' in page
        assert b"<iframe" not in page

    def test_html_is_shown_in_a_frame_that_runs_nothing(self, client: Client) -> None:
        send(html="<p>Hello</p>")
        page = client.get(f"{URL}{mail.kept_mails()[0].name}/")
        assert b"<iframe" in page.content
        assert "frame-src 'self'" in page["Content-Security-Policy"]
        shown = client.get(f"{URL}{mail.kept_mails()[0].name}/html/")
        assert b"<p>Hello</p>" in shown.content
        assert "default-src 'none'" in shown["Content-Security-Policy"]
        assert "script-src" not in shown["Content-Security-Policy"]
        assert shown["X-Frame-Options"] == "SAMEORIGIN"

    def test_it_is_empty_at_first(self, client: Client) -> None:
        assert b"No mail yet" in client.get(URL).content

    def test_a_name_that_is_none_is_not_found(self, client: Client) -> None:
        assert client.get(f"{URL}20260311T120000000000-00000000/").status_code == 404
        assert client.get(f"{URL}secret_key/").status_code == 404

    def test_it_is_never_shown_in_production(self, client: Client, settings: LazySettings) -> None:
        send()
        name = mail.kept_mails()[0].name
        settings.DEVELOPMENT_PAGES = False
        for url in (URL, f"{URL}{name}/", f"{URL}{name}/html/"):
            assert client.get(url).status_code == 404


def test_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "KEPT", 3)
    for number in range(5):
        send(subject=f"Mail {number}")
    assert [kept.subject for kept in mail.kept_mails()] == ["Mail 4", "Mail 3", "Mail 2"]
