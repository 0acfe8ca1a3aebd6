import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import engines
from django.test import RequestFactory

from offload_portal.common import allowance_bar as bars
from offload_portal.common import chart_theme, display, plotly_bundle
from offload_portal.common.allowance_bar import AllowanceFigures
from offload_portal.common.chart_theme import Chart

AT = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)


def rendered(source: str, **values) -> str:
    request = RequestFactory().get("/", {"page": "2", "q": "ada"})
    template = engines["django"].from_string("{% load portal %}" + source)
    return template.render(values, request)


# --- Numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 m"),
        (61, "1 m 1 s"),
        (3_599, "59 m 59 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (11_520, "3 h 12 m"),
        (9_876_543_210, "2,743,484 h 13 m"),
        (-90, "−1 m 30 s"),
    ],
)
def test_durations_are_short(seconds, text):
    assert display.duration_text(seconds) == text


def test_a_duration_has_its_exact_seconds_on_hover():
    assert 'title="11,559 seconds"' in rendered("{{ 11559|duration }}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 h"),
        (17, "< 0.01 h"),
        (18, "0.01 h"),
        (3_600, "1 h"),
        (5_400, "1.50 h"),
        (36_000, "10 h"),
        (45_000, "12.5 h"),
        (59_259_259_260, "16,460,905.4 h"),
        (-5_400, "−1.50 h"),
        (None, "—"),
    ],
)
def test_compute_hours(seconds, text):
    assert display.compute_hours_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1_023, "1,023 B"),
        (1_024, "1 KiB"),
        (1_536, "1.5 KiB"),
        (10_239, "10 KiB"),
        (1_610_612_736, "1.5 GiB"),
        (9_876_543_210_123, "9 TiB"),
        (None, "—"),
    ],
)
def test_bytes(count, text):
    assert display.bytes_text(count) == text


def test_money_always_has_its_currency_and_a_true_minus():
    assert ">$12.34<" in rendered("{{ 12340000|money }}")
    assert ">−$5.00<" in rendered("{{ amount|money }}", amount=-5_000_000)
    assert 'title="$0.002400">$0.00<' in rendered("{{ 2400|money }}")
    assert ">$0.1800<" in rendered("{{ 180000|money:4 }}")


@pytest.mark.parametrize("name", ["duration", "compute_hours", "money", "bytes", "number"])
def test_what_is_unknown_says_so(name):
    assert rendered("{{ value|" + name + " }}", value=None) == (
        '<span class="number" title="Not known">—</span>'
    )


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0 %"), (1, 1_000, "< 1 %"), (1, 3, "33 %"), (3, 2, "150 %"), (1, 0, "—")],
)
def test_shares(part, whole, text):
    assert display.share_text(part, whole) == text


# --- Names and times -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Q", "Q"),
        ("Ada Lovelace", "AL"),
        ("maximiliane von und zu hohenlohe", "MH"),
        ("欧阳娜娜", "欧"),
        ("", "?"),
        ("***", "*"),
    ],
)
def test_initials(name, text):
    assert display.initials(name) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7_199, "1 hour ago"),
        (172_800, "2 days ago"),
        (-1, "in less than a minute"),
        (-7_200, "in 2 hours"),
        (30 * 86_400, None),
    ],
)
def test_relative_times(ago, text):
    assert display.relative_text(ago) == text


def test_a_time_has_the_exact_one_beside_it():
    html = rendered("{% when then at=at %}", then=AT - timedelta(minutes=3), at=AT)
    assert 'datetime="2026-07-15T11:57:00Z"' in html
    assert 'title="15 Jul 2026, 11:57:00 UTC"' in html
    assert ">3 minutes ago<" in html


# --- The allowance ---------------------------------------------------------------------------

USUAL = AllowanceFigures(
    committed=100,
    committed_used=100,
    top_ups=20,
    top_ups_used=20,
    on_demand=bars.LIMITED,
    on_demand_limit=80,
)


def test_the_bar_follows_the_order_of_draw_down():
    drawing = bars.draw(replace(USUAL, on_demand_used=40, reserved=20))
    assert [segment.key for segment in drawing.segments] == ["committed", "top-ups", "on-demand"]
    last = drawing.segments[-1]
    assert (last.x, last.width, last.used_width) == ("60.00%", "40.00%", "20.00%")
    assert (last.reserved_x, last.reserved_width) == ("80.00%", "10.00%")


def test_reservations_fill_what_is_left_first():
    figures = AllowanceFigures(committed=100, committed_used=95, top_ups=100, reserved=15)
    assert [segment.reserved for segment in bars.draw(figures).segments] == [5, 10]


def test_a_forecast_far_beyond_stands_at_the_edge():
    mark = bars.draw(AllowanceFigures(committed=100, forecast=10_000)).mark
    assert mark is not None
    assert (mark.x, mark.anchor, mark.beyond) == ("100.00%", "end", True)


@pytest.mark.parametrize(
    ("figures", "state", "left"),
    [
        (AllowanceFigures(), "nothing", 0),
        (AllowanceFigures(committed=10, committed_used=4), "open", 6),
        (AllowanceFigures(committed=10, committed_used=10), "exhausted", 0),
        (AllowanceFigures(on_demand=bars.LIMITED, on_demand_limit=0), "nothing", 0),
        (AllowanceFigures(on_demand=bars.UNLIMITED, on_demand_used=9), "unlimited", None),
        (replace(USUAL, on_demand_used=80, over_limit=3), "over", 0),
    ],
)
def test_states_of_the_allowance(figures, state, left):
    assert (figures.state, figures.left) == (state, left)
    assert f"allowance--{state}" in rendered("{% allowance figures %}", figures=figures)


def test_the_bar_has_its_numbers_in_words_and_no_inline_style():
    html = rendered("{% allowance figures %}", figures=AllowanceFigures(committed=36_000))
    assert 'aria-label="0 h of 10 h used."' in html
    assert "style=" not in html


# --- Charts ----------------------------------------------------------------------------------


def _chart(**own) -> Chart:
    values = {"id": "c", "title": "Hours", "headers": ["Day", "Hours"], "rows": [("Mon", 3)]}
    return Chart(**{**values, **own})


@pytest.mark.parametrize("as_text", [False, True])
def test_a_figure_travels_as_data_and_cannot_leave_its_element(as_text):
    figure = {"data": [{"name": "</script><b>"}], "layout": chart_theme.layout()}
    html = rendered("{% chart c %}", c=_chart(figure=json.dumps(figure) if as_text else figure))
    assert html.count("</script>") == 1
    found = re.search(r'<script id="c-figure" type="application/json">(.*)</script>', html)
    assert found is not None
    assert json.loads(found[1]) == figure
    assert "<td>Mon</td>" in html


def test_a_chart_with_nothing_to_draw_says_what_will_stand_there():
    html = rendered("{% chart c %}", c=_chart(empty="Days will stand here."))
    assert "Days will stand here." in html
    assert "<script" not in html


def test_a_chart_lays_its_own_settings_over_the_shared_ones():
    own = chart_theme.layout(yaxis={"nticks": 2})
    assert own["yaxis"]["nticks"] == 2
    assert own["yaxis"]["fixedrange"] is True
    assert chart_theme.LAYOUT["yaxis"]["nticks"] == 5


def test_plotlys_rules_come_out_of_the_bundle():
    rules = (plotly_bundle.prepared_folder() / "plotly.css").read_text()
    assert rules.count("{") == rules.count("}") > 50
    assert ".js-plotly-plot .plotly .modebar" in rules
    assert not re.search(r"\b[XY] ", rules)


def test_the_finder_gives_both_files_and_nothing_else():
    finder = plotly_bundle.PlotlyFinder()
    assert finder.find("plotly/plotly.min.js").endswith("plotly.min.js")
    assert finder.find("plotly/other.js") is None
    assert finder.find("plotly/other.js", find_all=True) == []
    assert [name for name, _storage in finder.list(None)] == ["plotly.min.js", "plotly.css"]


def test_a_basic_bundle_of_another_version_is_left_alone(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    basic = tmp_path / plotly_bundle.BASIC
    basic.parent.mkdir(parents=True)
    basic.write_text("/** plotly.js (basic - minified) v0.0.1 */")
    assert plotly_bundle.chosen_bundle() == plotly_bundle.full_bundle()
    version = plotly_bundle.version_of(plotly_bundle.full_bundle())
    basic.write_text(f"/** plotly.js (basic - minified) v{version} */")
    assert plotly_bundle.chosen_bundle() == basic


# --- Structure -------------------------------------------------------------------------------


class NameForm(forms.Form):
    name = forms.CharField(help_text="As colleagues know you.")


def test_a_component_wraps_the_pages_own_markup():
    html = rendered('{% component "card" title=t %}<i>{{ t }}</i>{% endcomponent %}', t="A & B")
    assert "<h2>A &amp; B</h2>" in html
    assert "<i>A &amp; B</i>" in html


def test_a_form_keeps_what_was_typed_and_names_what_to_correct():
    form = NameForm({"name": ""})
    html = rendered('{% component "form" form=form %}{% endcomponent %}', form=form)
    assert "csrfmiddlewaretoken" in html
    assert 'href="#id_name"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_error"' in html


def test_pages_keep_the_other_parameters():
    page = Paginator(range(100), 10).get_page(2)
    html = rendered('{% include "components/pagination.html" %}', page=page)
    assert "?page=3&amp;q=ada" in html
    assert "11</span>–" in html


def test_a_chosen_theme_stands_on_the_document():
    request = RequestFactory().get("/")
    template = engines["django"].from_string("{% load portal %}{% theme_attribute %}")
    assert template.render({}, request) == ""
    request.COOKIES["portal_theme"] = "dark"
    assert template.render({}, request) == ' data-theme="dark"'
    request.COOKIES["portal_theme"] = '"><script>'
    assert template.render({}, request) == ""


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_error_pages_need_nothing_from_a_view(name):
    html = engines["django"].get_template(f"{name}.html").render()
    assert "<h1>" in html
    assert "style=" not in html


@pytest.mark.parametrize("query", ["", "?themes=both"])
def test_the_style_guide_shows_every_component(client, query):
    response = client.get(f"/styleguide/{query}")
    assert response.status_code == 200
    html = response.content.decode()
    assert " style=" not in html
    assert " onclick=" not in html
    identifiers = re.findall(r' id="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers))


def test_the_style_guide_is_for_development_only(client, settings):
    settings.DEVELOPMENT_PAGES = False
    assert client.get("/styleguide/").status_code == 404
