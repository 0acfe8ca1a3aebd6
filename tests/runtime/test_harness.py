"""The harness itself: what it promises to refuse, it refuses."""

import socket
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.template import Context, Origin, Template
from pytest_socket import SocketConnectBlockedError

from orgs.models import Organization


def _template(source: str, folder: Path) -> Template:
    return Template(source, origin=Origin(str(folder / "tried.html")))


def test_an_unknown_variable_fails_in_our_templates() -> None:
    template = _template("{{ nobody.gave_this }}", settings.BASE_DIR / "templates")
    with pytest.raises(pytest.fail.Exception, match=r"nobody\.gave_this"):
        template.render(Context())


def test_an_optional_value_says_so() -> None:
    template = _template("{{ nobody|default:'–' }}", settings.BASE_DIR / "templates")
    assert template.render(Context()) == "–"


def test_an_unknown_variable_is_left_to_others_in_their_templates(tmp_path: Path) -> None:
    assert _template("{{ nobody.gave_this }}", tmp_path).render(Context()) == ""


def test_a_slice_without_an_order_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="without an order"):
        Organization.objects.all()[:3]


def test_a_callback_runs_when_the_codes_own_transaction_ends(db: None) -> None:
    told: list[str] = []
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(lambda: told.append("inner"))
        assert told == []
    assert told == ["inner"]
    transaction.on_commit(lambda: told.append("at once"))
    assert told == ["inner", "at once"]


def test_a_callback_of_a_change_that_was_undone_never_runs(db: None) -> None:
    told: list[str] = []
    with transaction.atomic():
        transaction.on_commit(lambda: told.append("never"))
        transaction.set_rollback(True)
    assert (told, connection.run_on_commit) == ([], [])


def test_nothing_outside_this_machine_can_be_reached() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as out,
        pytest.warns(UserWarning, match=r"192\.0\.2\.1"),
        pytest.raises(SocketConnectBlockedError),
    ):
        out.connect(("192.0.2.1", 80))


def test_the_data_folder_is_not_the_portals_own() -> None:
    assert not settings.DATA_DIR.is_relative_to(settings.BASE_DIR)
