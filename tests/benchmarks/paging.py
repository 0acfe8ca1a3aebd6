"""A list's page at depth 99 % against its first (target P18), in one organization of 20,000.

    python -m tests.benchmarks.paging [--people 20000] [--rounds 5] [--times 20]

Walks each list of the API to its end by `next`, then asks for the first page and the one at 99 % in
turn. An answer outside 2xx makes the run void. Prints the median time of each and their ratio.
"""

import argparse
import json
import os
import statistics
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks.data import DataSet
from tests.benchmarks.stack import serving, world
from tests.runtime.processes import free_port

PAGE_SIZE = 100
DEPTH = 0.99
LISTS = ("organizations/bench-0/members", "organizations/bench-0/licenses", "sessions")


def _get(address: str, token: str) -> Mapping[str, Any]:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: Mapping[str, Any] = json.load(answer)
        return found


def pages_of(first: str, token: str) -> list[str]:
    """The address of every page."""
    addresses, following = [], first
    while following:
        addresses.append(following)
        following = _get(following, token)["next"] or ""
    return addresses


def _timed(ask: Callable[[], object], times: int) -> float:
    """The median of so many, in milliseconds."""
    taken = []
    for _time in range(times):
        start = time.perf_counter()
        ask()
        taken.append(1_000 * (time.perf_counter() - start))
    return statistics.median(taken)


def measure(base: str, token: str, rounds: int, times: int) -> None:
    for path in LISTS:
        addresses = pages_of(f"{base}/api/v1/{path}?page_size={PAGE_SIZE}", token)
        deep = addresses[int(DEPTH * (len(addresses) - 1))]
        figures: dict[str, list[float]] = {"first": [], "deep": []}
        for _round in range(rounds):
            for name, address in (("first", addresses[0]), ("deep", deep)):
                figures[name].append(_timed(lambda a=address: _get(a, token), times))  # type: ignore[misc]
        first, last = (statistics.median(figures[name]) for name in ("first", "deep"))
        spread = ", ".join(
            f"{name} {min(values):.1f} to {max(values):.1f} ms" for name, values in figures.items()
        )
        print(  # noqa: T201
            f"{path}: {len(addresses)} pages, first {first:.1f} ms, at 99 % {last:.1f} ms, "
            f"ratio {last / first:.2f} ({spread})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=20)
    chosen = parser.parse_args()
    made = DataSet(organizations=1, sessions=chosen.people, tokens=1)
    more = {"WEB_WORKERS": "1", "API_REQUESTS_PER_MINUTE": "1000000"}
    with (
        world(made, f"portal_benchmark_paging_{os.getpid()}") as there,
        serving(there.values, free_port(), "/healthz", **more) as port,
    ):
        measure(f"http://localhost:{port}", made.token(0), chosen.rounds, chosen.times)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    import django

    django.setup()
    main()
