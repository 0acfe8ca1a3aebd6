"""Pages of insights in a large organization with a year behind it (targets P12 and P15).

    python -m tests.benchmarks.year [--sessions 2000000] [--times 5]

Half of the sessions are the first organization's (`year_data`). Its owner asks for each page with
each filter, over a month and over the year, one after the other; the time is that to the first byte
of the answer. Beside it stands a page of the same organization that asks for no sessions.
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
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.benchmarks.data import DataSet
from tests.benchmarks.stack import serving, world
from tests.factories import PASSWORD
from tests.runtime.processes import free_port

HERE = "/organizations/bench-0/"
PLAIN = f"{HERE}settings/"
PAGES = {
    "overview": HERE,
    "summary": f"{HERE}activity/",
    "times": f"{HERE}activity/times/",
    "cost": f"{HERE}activity/cost/",
    "outcomes": f"{HERE}activity/outcomes/",
    "advice": f"{HERE}activity/advice/",
}
FILTERS = {
    "everything": {},
    "a person": {"user": "person-7@example.com"},
    "a size": {"engine": "large"},
    "an image": {"image": "acme/app-7:1"},
    "a label": {"label": "project=project-7"},
    "a state": {"state": "ended"},
}
PERIODS = {"month": 30, "year": 365}


def signed_in(base: str) -> urllib.request.OpenerDirector:
    """As the owner of the largest organization."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    page = opener.open(f"{base}/account/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    given = {"login": "person-0@example.com", "password": PASSWORD}
    body = urllib.parse.urlencode({**given, "csrfmiddlewaretoken": token[1]}).encode()
    answer = opener.open(urllib.request.Request(f"{base}/account/login/", body))
    assert "/login/" not in answer.url, "the owner could not sign in"
    return opener


def asked() -> Iterator[tuple[str, str, str]]:
    """(page, filter and period, its address)"""
    today = datetime.now(UTC).date()
    yield "overview", "", PAGES["overview"]
    for (name, path), filtered, (period, days) in itertools.product(
        list(PAGES.items())[1:], FILTERS, PERIODS.items()
    ):
        span = {"since": str(today - timedelta(days=days - 1)), "until": str(today)}
        query = urllib.parse.urlencode({**span, **FILTERS[filtered]})
        yield name, f"{filtered}, {period}", f"{path}?{query}"


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


def measure(base: str, times: int) -> None:
    opener = signed_in(base)
    opener.open(base + PLAIN).read()
    plain = [first_byte(opener, base + PLAIN) for _time in range(5 * times)]
    print(f"without sessions: {statistics.median(plain):.0f} ms", flush=True)  # noqa: T201
    everything: list[float] = []
    for page, filtered, address in asked():
        first_byte(opener, base + address)
        taken = [first_byte(opener, base + address) for _time in range(times)]
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
        measure(f"http://localhost:{port}", chosen.times)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    import django

    django.setup()
    main()
