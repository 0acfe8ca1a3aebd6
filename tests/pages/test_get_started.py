"""From a terminal to a session: the commands for a person's own accounts, and what forbids them."""

import json
import subprocess
import sys
import zipfile
from datetime import datetime
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from offload_portal.pages.plugin import wheel_of_plugin
from orgs.models import Organization, Person
from sessions.engines import announcements
from tests import factories
from tests.pages.reading import SignIn, statements, words
from tests.sessions import worlds

MOST_STATEMENTS = 20
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def page(organization: Organization) -> str:
    return reverse("pages:get_started", args=[organization.slug])


def commands(html: str) -> list[str]:
    """Each command on the page, as the copy button gives it."""
    return [unescape(part.split('"')[0]) for part in html.split('data-copy="')[1:]]


@pytest.fixture
def engines(at: datetime) -> None:
    """A host of engines lives, so that the portal brings them."""
    announcements.announce(host_name="host-1", capacity=2, at=at)


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("editor", 200), ("member", 200), ("stranger", 404)]
)
def test_everybody_of_the_organization_sees_it_and_a_stranger_sees_nothing(
    organization: Organization,
    client_of: SignIn,
    request: pytest.FixtureRequest,
    who: str,
    status: int,
) -> None:
    assert client_of(request.getfixturevalue(who)).get(page(organization)).status_code == status


def test_nobody_is_sent_to_the_sign_in_page(organization: Organization) -> None:
    for address in (page(organization), reverse("pages:start_somewhere")):
        assert "/account/login/" in Client().get(address).headers["Location"]


@pytest.mark.usefixtures("engines")
def test_with_one_account_nothing_need_be_named(
    organization: Organization, member: Person, client_of: SignIn
) -> None:
    answer = client_of(member).get(page(organization))
    typed = commands(answer.content.decode())

    assert "docker offload login --portal http://localhost:8000" in typed
    assert "docker offload start" in typed
    assert "docker run --rm hello-world" in typed
    assert "docker offload status" in typed
    assert "docker offload stop" in typed
    assert "You may start a session" in words(answer)
    assert "Your accounts" not in words(answer)


@pytest.mark.usefixtures("engines")
def test_with_several_each_is_named_and_one_chooses_by_links(
    organization: Organization, member: Person, owner: Person, client_of: SignIn, at: datetime
) -> None:
    other = factories.organization(member, at=at, name="Other")
    client = client_of(member)

    first, then = client.get(page(organization)), client.get(page(other))

    assert f"docker offload start --account {organization.slug}" in commands(first.content.decode())
    assert f"docker offload start --account {other.slug}" in commands(then.content.decode())
    assert f'href="{page(other)}"' in first.content.decode()
    assert "You may start a session" in words(first)
    assert "You can't start a session now" in words(then)


def test_each_refusal_stands_with_its_code_and_whom_to_ask(
    organization: Organization, colleague: Person, client_of: SignIn, at: datetime
) -> None:
    factories.organization(colleague, at=at, name="Other")

    answer = client_of(colleague).get(page(organization))
    text, html = words(answer), answer.content.decode()

    assert "no_license" in text
    assert "not_subscribed" in text
    assert "Olga Owner" in text
    assert "mailto:olga-" in html
    refusals = [row.view.refusal.sentence for row in answer.context["accounts"]]
    assert all(sentence in text for sentence in refusals)


def test_a_session_that_runs_already_is_a_link_to_it(
    organization: Organization, member: Person, client_of: SignIn, at: datetime
) -> None:
    made = worlds.start(organization, member, at)

    html = client_of(member).get(page(organization)).content.decode()

    assert reverse("pages:session", args=[organization.slug, made.pk]) in html


def test_without_engines_it_says_what_a_client_does_instead(
    organization: Organization, member: Person, client_of: SignIn
) -> None:
    answer = client_of(member).get(page(organization))
    html = "\n".join(commands(answer.content.decode()))

    assert "docker stays on the engine that it uses" in words(answer)
    assert "hello-world" not in html
    assert f'{{"organization": "{organization.slug}"}}' in html
    assert "/api/v1/sessions/$SESSION/activity" in html


@pytest.mark.parametrize("setting", ["external", "local"])
def test_the_setting_says_who_brings_the_engine(
    organization: Organization, member: Person, client_of: SignIn, settings, setting: str
) -> None:
    settings.ENGINE_PROVIDER = setting

    answer = client_of(member).get(page(organization))

    assert answer.context["external"] is (setting == "external")


def test_a_link_that_knows_no_organization_leads_to_the_last_one_used(
    organization: Organization, member: Person, client_of: SignIn, at: datetime
) -> None:
    other = factories.organization(member, at=at, name="Zeta")
    client = client_of(member)
    somewhere = reverse("pages:start_somewhere")

    assert client.get(somewhere).headers["Location"] == page(organization)
    client.get(page(other))
    assert client.get(somewhere).headers["Location"] == page(other)


def test_who_belongs_nowhere_is_welcomed(stranger: Person, client_of: SignIn) -> None:
    answer = client_of(stranger).get(reverse("pages:start_somewhere"), follow=True)

    assert answer.redirect_chain == [(reverse("pages:organizations"), 302)]
    assert "Welcome" in words(answer)


@pytest.mark.usefixtures("engines")
def test_the_plugin_knows_each_command_on_the_page(
    organization: Organization, member: Person, client_of: SignIn, at: datetime, settings
) -> None:
    factories.organization(member, at=at, name="Other")
    typed = commands(client_of(member).get(page(organization)).content.decode())
    lines = [line.strip() for one in typed for line in one.splitlines()]
    ours = [line.split()[2:] for line in lines if line.startswith("docker offload")]
    assert len(ours) >= 5

    check = (
        "import json, sys; from docker_offload.catalog import find; "
        "from docker_offload.options import parse; "
        "[parse(find(words[0]), words[1:]) for words in json.load(sys.stdin)]"
    )
    subprocess.run(
        [sys.executable, "-c", check],
        input=json.dumps(ours).encode(),
        cwd=Path(settings.BASE_DIR) / "clients" / "docker-offload" / "src",
        check=True,
    )


def test_the_statements_do_not_grow_with_the_accounts(
    organization: Organization, member: Person, client_of: SignIn, at: datetime
) -> None:
    factories.organization(member, at=at, name="Two")
    client = client_of(member)
    few = statements(client, page(organization))
    for number in range(10):
        factories.organization(member, at=at, name=f"More {number}")

    assert statements(client, page(organization)) == few <= MOST_STATEMENTS


def test_the_plugin_is_a_wheel_that_anybody_may_fetch_and_no_other_name_is() -> None:
    wheel = wheel_of_plugin()
    assert wheel is not None

    answer = Client().get(reverse("pages:plugin", args=[wheel.name]))

    assert answer.content == wheel.content
    assert (
        Client().get(reverse("pages:plugin", args=["other-1-py3-none-any.whl"])).status_code == 404
    )
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "docker_offload/cli.py" in names
    assert any(name.endswith(".dist-info/RECORD") for name in names)


def test_pip_installs_the_wheel(tmp_path: Path) -> None:
    wheel = wheel_of_plugin()
    assert wheel is not None
    (tmp_path / wheel.name).write_bytes(wheel.content)
    pytest.importorskip("pip")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(tmp_path / "to"), wheel.name]

    subprocess.run(command, cwd=tmp_path, check=True)

    assert (tmp_path / "to" / "bin" / "docker-offload").is_file()
