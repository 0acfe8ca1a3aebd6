"""Small things: lengths, money, names, flags, the bar beside the portal's own."""

import importlib.util
import io
import re
import sys
from pathlib import Path

import pytest
from fakes import SOURCE, allowance
from hypothesis import given
from hypothesis import strategies as st

from docker_offload import bar, words
from docker_offload.catalog import COMMANDS, find
from docker_offload.failures import Failure, Misuse
from docker_offload.options import parse
from docker_offload.terminal import Terminal

COMMON = Path(__file__).resolve().parents[3] / "offload_portal" / "common"


def portals(name):
    """A pure module of the portal's, read from its file: the plugin itself imports none."""
    spec = importlib.util.spec_from_file_location(f"portals_{name}", COMMON / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@given(st.integers(-(10**15), 10**15))
def test_money_is_written_as_on_the_pages(amount):
    assert words.money(amount).replace("−", "-") in (
        portals("money").format_usd(amount),
        portals("money").format_usd(amount).replace("-$0.00", "$0.00"),
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("10s", 10), ("1h30m", 5_400), ("1.5m", 90), ("500ms", 0.5)]
)
def test_lengths_are_read(text, seconds):
    assert words.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1h 3m", "h", "1d", "9" * 30, "١٠"])
def test_what_is_no_length_is_misuse(text):
    with pytest.raises(Misuse):
        words.parse_duration(text)


@given(st.text())
def test_what_is_cleaned_has_nothing_that_steers_a_terminal(text):
    cleaned = words.clean({text: [text]})
    ((name, (value,)),) = cleaned.items()
    assert name == value
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in value)


def test_letters_of_every_script_stay():
    assert words.clean("Ада 组织 é") == "Ада 组织 é"


def parsed(*given_words):
    return parse(find("start"), given_words)


def test_flags_are_read_as_pflag_reads_them():
    given = parsed("-gaacme", "--size=large", "--label", "a=1", "-l=b=2", "--timeout", "5s")
    assert given["gpu"] is True
    assert given["account"] == "acme"
    assert given["size"] == "large"
    assert given["label"] == ["a=1", "b=2"]
    assert given["timeout"] == 5
    assert parsed("--gpu=false")["gpu"] is False


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["--frob"], "unknown flag: --frob"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--account"], "flag needs an argument: --account"),
        (["-a"], "flag needs an argument: 'a' in -a"),
        (["--gpu=perhaps"], 'invalid argument "perhaps" for "-g, --gpu" flag'),
    ],
)
def test_wrong_flags_have_dockers_words(typed, sentence):
    with pytest.raises(Misuse, match="^" + re.escape(sentence)):
        parsed(*typed)


def test_too_many_arguments_fail():
    with pytest.raises(Failure, match="accepts no arguments, received 1"):
        parsed("--", "-x")


def test_every_command_has_its_code_and_help():
    from docker_offload.cli import _runner
    from docker_offload.helping import of_command

    for command in COMMANDS:
        assert callable(_runner(command))
        assert of_command(command).startswith(f"Usage:  docker offload {command.name}")


class Utf8(io.StringIO):
    encoding = "utf-8"


SECONDS = st.integers(0, 400_000)


@given(
    committed=SECONDS, used=SECONDS, top_ups=SECONDS, limit=SECONDS, reserved=SECONDS,
    over=st.integers(0, 1_000), forecast=st.none() | SECONDS,
    mode=st.sampled_from(["off", "limited", "unlimited"]),
)  # fmt: skip
def test_the_bar_has_the_segments_of_the_pages(
    committed, used, top_ups, limit, reserved, over, forecast, mode
):
    pages = portals("allowance_bar")
    used = min(used, committed)
    drawing = pages.draw(
        pages.AllowanceFigures(
            committed=committed, committed_used=used, top_ups=top_ups, on_demand=mode,
            on_demand_limit=limit, over_limit=over, reserved=reserved, forecast=forecast,
        )
    )  # fmt: skip
    ours = allowance(
        committed={
            **SOURCE, "total_compute_seconds": committed, "used_compute_seconds": used,
        },
        top_up={**SOURCE, "total_compute_seconds": top_ups},
        on_demand={**SOURCE, "total_compute_seconds": limit}, on_demand_mode=mode,
        over_limit_compute_seconds=over, reserved_compute_seconds=reserved,
        forecast_compute_seconds=forecast,
    )  # fmt: skip
    theirs = [
        (row.key.replace("-", "_").replace("top_ups", "top_up"), row.size, row.used, row.reserved)
        for row in drawing.segments
    ]
    assert [(p.key, p.size, p.used, p.reserved) for p in bar.parts_of(ours)] == theirs
    lines = bar.lines_of(ours, Terminal({}, Utf8(), Utf8(), Utf8()))
    if theirs:
        assert len(lines[1]) == bar.COLUMNS
