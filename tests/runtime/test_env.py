"""Wrong or missing settings stop the start with the variable's name and the cure."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from offload_portal.common import env
from tests.runtime.processes import manage


@pytest.mark.parametrize(
    ("read", "value", "cure"),
    [
        (lambda: env.whole_number("TRIED", 8, least=1), "eight", "Set it to a whole number"),
        (lambda: env.whole_number("TRIED", 8, least=1), "0", "Set it to a whole number from 1"),
        (lambda: env.whole_number("TRIED", 8, least=1, most=9), "10", "from 1 to 9"),
        (lambda: env.flag("TRIED"), "perhaps", "Set it to 1 or 0"),
        (lambda: env.one_of("TRIED", "red", ("red", "blue")), "pink", "one of red, blue"),
        (lambda: env.address("TRIED", None, ("https",)), "ftp://x", "begins like TRIED=https://"),
        (lambda: env.numbers("TRIED", (1, 2), least=1, most=9), "1,x", "TRIED=1,2"),
    ],
)
def test_a_wrong_value_names_the_variable_and_the_cure(
    monkeypatch: pytest.MonkeyPatch, read, value: str, cure: str
) -> None:
    monkeypatch.setenv("TRIED", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        read()
    assert str(refused.value).startswith(f"TRIED is '{value}'. ")
    assert cure in str(refused.value)


def test_a_variable_without_a_default_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIED", raising=False)
    with pytest.raises(ImproperlyConfigured, match="TRIED is not set"):
        env.text("TRIED")


def test_a_folder_that_cannot_be_made_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRIED", str(tmp_path / "file" / "folder"))
    with pytest.raises(ImproperlyConfigured, match=r"TRIED is .*Name a folder"):
        env.folder("TRIED", tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("DATABASE_URL", "mysql://nowhere"),
        ("REDIS_URL", "6379"),
        ("METER_EVERY_SECONDS", "-1"),
    ],
)
def test_the_start_stops_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    ended = manage(tmp_path, "run", **{name: value})  # type: ignore[arg-type]  # a variable
    assert ended.returncode == 1
    assert ended.stderr.strip().count("\n") == 0
    assert ended.stderr.startswith(f"{name} is '{value}'. Set it to ")
