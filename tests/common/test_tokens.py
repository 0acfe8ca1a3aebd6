"""Colours are read from tokens.css, so that a changed value is measured again."""

import itertools
import math
import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[2] / "offload_portal/static/portal/css"
TOKEN = re.compile(r"--([a-z0-9-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));")
RGB = tuple[float, float, float]


def _tokens(theme: str) -> dict[str, str]:
    own = (CSS / "tokens.css").read_text().split("@media")[0]
    place = {"light": 2, "dark": 3}[theme]
    return {found[1]: found[4] or found[place] for found in TOKEN.finditer(own)}


def _linear(value: str) -> RGB:
    def channel(start: int) -> float:
        part = int(value[start : start + 2], 16) / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    return channel(1), channel(3), channel(5)


def _luminance(value: str) -> float:
    red, green, blue = _linear(value)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


SURFACES = ("page", "surface", "sunken", "raised", "hover")
AAA = [("ink", ground) for ground in (*SURFACES, "accent-tint")]
AAA += [("ink", f"{meaning}-tint") for meaning in ("good", "notice", "warning", "danger")]
AAA += [("ink-2", ground) for ground in ("page", "surface", "sunken")]
AA = [("ink-2", ground) for ground in ("raised", "hover", "accent-tint")]
AA += [("ink-3", ground) for ground in SURFACES]
AA += [("accent-ink", ground) for ground in (*SURFACES, "accent-tint")]
AA += [("on-accent", ground) for ground in ("accent", "accent-hover")]
AA += [("on-danger", ground) for ground in ("danger-fill", "danger-fill-hover")]
AA += [
    (f"{meaning}-ink", ground)
    for meaning in ("good", "notice", "warning", "danger")
    for ground in ("page", "surface", f"{meaning}-tint")
]
PARTS = [("line-control", "surface"), ("line-control", "page"), ("focus", "page")]
PARTS += [("focus", "surface"), ("accent", "surface")]
PARTS += [(name, "surface") for name in ("good", "notice", "warning", "danger")]
PARTS += [(f"chart-{number}", "surface") for number in range(1, 7)]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("least", "pairs"), [(7.0, AAA), (4.5, AA), (3.0, PARTS)], ids=["body", "text", "parts"]
)
def test_pairs_in_use_have_enough_contrast(theme, least, pairs):
    tokens = _tokens(theme)
    ratios = {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < least} == {}


# How colours reach people without one kind of cone (Machado, Oliveira and Fernandes 2009).
SIGHTS = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no long": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no medium": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no short": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def _product(matrix, colour: RGB) -> RGB:
    first, second, third = (sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)
    return first, second, third


def _oklab(colour: RGB) -> RGB:
    to_cones = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    to_lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    long, medium, short = (max(part, 0.0) ** (1 / 3) for part in _product(to_cones, colour))
    return _product(to_lab, (long, medium, short))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_chart_colours_stay_apart_for_every_reader(theme, sight):
    tokens = _tokens(theme)
    seen = [
        _oklab(_product(SIGHTS[sight], _linear(tokens[f"chart-{number}"])))
        for number in range(1, 7)
    ]
    assert min(math.dist(*pair) for pair in itertools.combinations(seen, 2)) > 0.1


def test_components_name_tokens_only():
    own = re.compile(r"#[0-9a-f]{3,8}\b|\brgba?\(", re.IGNORECASE)
    sheets = ("base", "layout", "components", "charts", "styleguide")
    named = {sheet: own.findall((CSS / f"{sheet}.css").read_text()) for sheet in sheets}
    assert {sheet: colours for sheet, colours in named.items() if colours} == {}


def test_components_name_tokens_that_exist():
    defined = set(re.findall(r"(--[a-z0-9-]+):", (CSS / "tokens.css").read_text()))
    for sheet in sorted(CSS.glob("*.css")):
        used = set(re.findall(r"var\((--[a-z0-9-]+)", sheet.read_text()))
        assert used <= defined, f"{sheet.name}: {sorted(used - defined)}"
