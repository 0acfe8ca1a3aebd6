"""Every e-mail as a reader gets it: text and HTML say the same, and nothing in them is fetched."""

import re
from html import unescape

import pytest
from django.conf import LazySettings
from django.test import Client

from offload_portal.pages.email_samples import ORGANIZATION, samples
from orgs.enums import ALWAYS_BY_MAIL, NewsKind
from orgs.services.mails import Words, message, title_of
from tests.factories import person

pytestmark = pytest.mark.django_db
LINK = re.compile(r"https?://[^\s\"<>]+")


@pytest.fixture(params=[sample.name for sample in samples()])
def words(request: pytest.FixtureRequest) -> Words:
    return next(each.words for each in samples() if each.name == request.param)


def read(html: str) -> str:
    """What a person reads of the page: its text without marks, spaces made one."""
    body = re.sub(r"</?a\b[^>]*>", "", html.partition("<body")[2])
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def paragraphs(text: str) -> list[str]:
    """The text's own sentences, without links, commands and the foot."""
    body = text.partition("\n--\n")[0]
    lines = [line.strip(" -") for line in body.splitlines()]
    return [line for line in lines if line and not LINK.match(line)]


def test_every_kind_of_news_is_shown() -> None:
    shown = {sample.name.rpartition("-")[0] for sample in samples()}
    kinds = {kind.replace("_", "-") for kind in NewsKind} - {"account"}
    assert kinds <= shown


def test_the_html_says_what_the_text_says(words: Words) -> None:
    html = read(words.html)
    for sentence in paragraphs(words.text):
        assert " ".join(sentence.rstrip(":").split()) in html, sentence
    # The heading is shorter than the subject; the title is the subject, or as good as it.
    assert title_of(words.html)


def test_links_are_absolute_and_the_same_in_both(words: Words, settings: LazySettings) -> None:
    in_html = {unescape(link) for link in re.findall(r'href="(http[^"]*)"', words.html)}
    relative = re.findall(r'href="(?!http|mailto:)', words.html)
    assert not relative
    in_text = {link.rstrip(".,") for link in LINK.findall(words.text)}
    assert all(link.startswith(settings.PORTAL_URL) for link in in_html | in_text)
    assert in_html <= in_text | {settings.PORTAL_URL}


def test_nothing_is_fetched_and_nothing_runs(words: Words) -> None:
    own = {f'src="cid:{picture.name}"' for picture in words.pictures}
    html = re.sub(r'src="cid:[^"]*"', lambda found: "" if found[0] in own else found[0], words.html)
    for forbidden in ("<script", "<link", "url(", "@import", "src="):
        assert forbidden not in html.lower()
    assert html.count("<img") == len(words.pictures)


def test_it_is_legible_in_the_dark(words: Words) -> None:
    assert "prefers-color-scheme: dark" in words.html
    assert '<meta name="color-scheme" content="light dark">' in words.html
    for colour in ("color:#1d1d24", "background:#ffffff", "background:#f4f4f6"):
        for tag in re.findall(rf"<[^>]*{colour}[^>]*>", words.html):
            assert 'class="mail-' in tag, f"{tag} stays as it is in the dark"


def test_names_are_escaped_in_html_and_plain_in_text() -> None:
    for sample in samples():
        if ORGANIZATION in sample.words.text:
            assert "<Engineering>" not in sample.words.html


def test_news_says_in_its_head_how_to_decline_it_and_the_rest_does_not(db: None) -> None:
    reader = person("Ada")
    plain = Words("Subject", "Text", "<p>Text</p>")
    for kind in NewsKind:
        headers = message(plain, reader.email, kind, reader.pk).message()
        if kind in ALWAYS_BY_MAIL:
            assert "List-Unsubscribe" not in headers
        else:
            assert re.fullmatch(r"<https?://[^>]+/unsubscribe/[^>]+>", headers["List-Unsubscribe"])
            assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_shows_each_as_html_and_as_text(client: Client, language: str) -> None:
    page = client.get("/styleguide/emails/", headers={"Accept-Language": language})
    text = page.content.decode()
    for sample in samples():
        assert f'src="/styleguide/emails/{sample.name}/"' in text
    assert "frame-src 'self'" in page["Content-Security-Policy"]


def test_the_frame_runs_nothing(client: Client) -> None:
    frame = client.get(f"/styleguide/emails/{samples()[0].name}/")
    assert "default-src 'none'" in frame["Content-Security-Policy"]
    assert client.get("/styleguide/emails/no-such-mail/").status_code == 404


def test_it_is_not_shown_in_production(client: Client, settings: LazySettings) -> None:
    settings.DEVELOPMENT_PAGES = False
    assert client.get("/styleguide/emails/").status_code == 404
