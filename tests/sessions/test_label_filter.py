"""Labels may have any name."""

from dataclasses import replace

import pytest

from sessions.selectors import filter_for
from sessions.selectors.lists import filtered
from tests.sessions.lives import start

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["team", "12", "contains", "a__b", "a.b", "组", "'\"%"])
def test_a_session_is_found_by_its_label(organization, owner, at, name):
    session = start(organization, owner, at, labels={name: "web"})
    chosen = filter_for(owner)
    assert list(filtered(replace(chosen, label=(name, "web")), at)) == [session]
    assert not filtered(replace(chosen, label=(name, "other")), at).exists()
    assert not filtered(replace(chosen, label=("none", "web")), at).exists()
