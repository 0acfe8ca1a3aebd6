"""Pages of insights in a large organization with a year behind it (targets P12 and P15).

    python -m tests.benchmarks.year [--sessions 2000000] [--times 5]

Half of the sessions are the first organization's (`year_data`), the second one has a ninth of that.
Their owners ask for each page with each filter, over a month and over the year, one after the
other; the time is that to the first byte of the answer. Beside it stands a page of the same
organization that asks for no sessions.
"""

import argparse
import http.cookiejar
import itertools
import os
import re
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.benchmarks.data import DataSet
from tests.benchmarks.stack import serving, world
from tests.factories import PASSWORD
from tests.runtime.processes import free_port

PLAIN = "settings/"
PAGES = {
    "summary": "activity/",
    "times": "activity/times/",
    "cost": "activity/cost/",
    "outcomes": "activity/outcomes/",
    "advice": "activity/advice/",
}
PERIODS = {"month": 30, "year": 365}


def signed_in(base: str, person: int) -> urllib.request.OpenerDirector:
    """The first person of an organization owns it."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = opener.open(f"{base}/account/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    given = {"login": f"person-{person}@example.com", "password": PASSWORD}
    body = urllib.parse.urlencode({**given, "csrfmiddlewaretoken": token[1]}).encode()
    answer = opener.open(urllib.request.Request(f"{base}/account/login/", body))
    assert "/login/" not in answer.url, "the owner could not sign in"
    return opener


def asked(filters: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    """(page, filter and period, its address in the organization)"""
    today = datetime.now(UTC).date()
    yield "overview", "", ""
    for (name, path), filtered, (period, days) in itertools.product(
        PAGES.items(), filters, PERIODS.items()
    ):
        span = {"since": str(today - timedelta(days=days - 1)), "until": str(today)}
        query = urllib.parse.urlencode({**span, **filters[filtered]})
        yield name, f"{filtered}, {period}", f"{path}?{query}"


def filters_of(person: int) -> dict[str, dict[str, str]]:
    return {
        "everything": {},
        "a person": {"user": f"person-{person + 7}@example.com"},
        "a size": {"engine": "large"},
        "an image": {"image": "acme/app-7:1"},
        "a label": {"label": "project=project-7"},
        "a state": {"state": "ended"},
    }


def first_byte(opener: urllib.request.OpenerDirector, address: str) -> float:
    """Milliseconds; the answer must be a page without complaint."""
    start = time.perf_counter()
    answer = opener.open(address, timeout=600)
    answer.read(1)
    taken = 1_000 * (time.perf_counter() - start)
    rest = answer.read()
    assert answer.status == 200
    assert b'class="errorlist"' not in rest, address
    return taken


def percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def measure(base: str, made: DataSet, organization: int, times: int) -> None:
    person = organization * made.each
    opener = signed_in(base, person)
    here = f"{base}/organizations/{made.slug(organization)}/"
    opener.open(here + PLAIN).read()
    plain = [first_byte(opener, here + PLAIN) for _time in range(5 * times)]
    print(  # noqa: T201
        f"{made.slug(organization)}, without sessions: {statistics.median(plain):.0f} ms",
        flush=True,
    )
    everything: list[float] = []
    for page, filtered, address in asked(filters_of(person)):
        first_byte(opener, here + address)
        taken = [first_byte(opener, here + address) for _time in range(times)]
        if page != "overview":
            everything += taken
        print(  # noqa: T201
            f"{page}, {filtered}: {statistics.median(taken):.0f} ms (to {max(taken):.0f})",
            flush=True,
        )
    print(  # noqa: T201
        f"any filter: median {statistics.median(everything):.0f} ms, "
        f"p95 {percentile(everything, 0.95):.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--organizations", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    made = DataSet(chosen.organizations, chosen.people)
    fill = ["tests.benchmarks.year_data"]
    for name in ("people", "organizations", "sessions"):
        fill += [f"--{name}", str(getattr(chosen, name))]
    with (
        world(made, f"portal_benchmark_year_{os.getpid()}", fill) as there,
        serving(there.values, free_port(), "/healthz", WEB_WORKERS="1") as port,
    ):
        for organization in (0, 1):
            measure(f"http://localhost:{port}", made, organization, chosen.times)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    import django

    django.setup()
    main()
