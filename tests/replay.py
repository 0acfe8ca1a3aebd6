"""What a real Docker engine said, turned into the activity reports of a client.

The client reports in each second in which its engine said something, and each third of the idle
timeout while anything runs or is built, as `next_report_seconds` asks it to. A report holds what
was seen since the last one. Instants of reports are POSIX seconds; those of containers are the
engine's own, to the microsecond.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Events that follow from a call of the client's; `die` comes by itself.
CALLS = {"create", "attach", "start", "exec_create", "exec_start", "tag"}

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """The body of one report and the second at which the portal receives it."""

    second: int
    body: dict[str, Any]

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.second, UTC)


@dataclass
class Engine:
    """What the client knows of its engine from the events so far."""

    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    built_in: set[str] = field(default_factory=set)
    died_at: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    most_running: int = 0
    most_builds: int = 0
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return bool(self.running or self.built_in)

    def hear(self, event: Event) -> None:
        action = str(event["Action"]).partition(":")[0]
        self.calls += action in CALLS
        if event["Type"] == "container":
            getattr(self, f"_{action}", self._nothing)(event["id"], event)
        self.most_running = max(self.most_running, len(self.running))
        self.most_builds = max(self.most_builds, len(self.built_in))

    def _nothing(self, identifier: str, event: Event) -> None:
        pass

    def _create(self, identifier: str, event: Event) -> None:
        # The legacy builder runs each step in a container of an image that has no name yet.
        if event["from"].startswith("sha256:"):
            self.built_in.add(identifier)

    def _start(self, identifier: str, event: Event) -> None:
        facts = event["Actor"]["Attributes"]
        self.running[identifier] = self.changed[identifier] = {
            "id": identifier,
            "name": facts["name"],
            "image": event["from"],
            "started_at": _instant(event),
            "exited_at": None,
            "exit_code": None,
        }

    def _die(self, identifier: str, event: Event) -> None:
        run = self.running.pop(identifier)
        run["exited_at"] = _instant(event)
        run["exit_code"] = int(event["Actor"]["Attributes"]["exitCode"])
        self.changed[identifier] = run
        self.died_at[identifier] = event["time"]

    def _destroy(self, identifier: str, event: Event) -> None:
        self.built_in.discard(identifier)
        # With `--rm` the engine removes it at once by itself; later it takes a call.
        self.calls += event["time"] - self.died_at.pop(identifier, event["time"]) > 1

    def told(self) -> dict[str, Any]:
        """What was seen since the last report; the next one begins with what still runs."""
        seen = {
            "running_containers": self.most_running,
            "active_builds": self.most_builds,
            "api_calls": self.calls,
            "containers": [dict(run) for run in self.changed.values()],
        }
        self.calls, self.changed = 0, {}
        self.most_running, self.most_builds = len(self.running), len(self.built_in)
        return seen


def _instant(event: Event) -> str:
    return _text(int(event["timeNano"]))


def _text(nanoseconds: int) -> str:
    at = _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lines(folder: Path, name: str) -> list[Any]:
    text = (folder / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def reports(folder: Path = RECORDINGS, *, every_seconds: int) -> list[Report]:
    """The reports of the whole recording, in order, `sequence` from 1."""
    events = sorted(lines(folder, "engine-events.ndjson"), key=lambda event: event["timeNano"])
    samples = list(_samples(lines(folder, "stats.ndjson")))
    engine, since = Engine(), 0
    found: list[Report] = []
    for second in range(events[0]["time"], events[-1]["time"] + 1):
        heard = [event for event in events if event["time"] == second]
        for event in heard:
            engine.hear(event)
        if not heard and not (engine.works and second - since >= every_seconds):
            continue
        sent = [sample for sample in samples if since <= _second_of(sample) < second]
        body = {"sequence": len(found) + 1, **engine.told(), "samples": sent}
        found.append(Report(second, body))
        since = second
    return found


def _second_of(sample: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(sample["at"]).timestamp())


def _samples(stats: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One sample for each round over the containers: what the engine used in all."""
    together: list[Mapping[str, Any]] = []
    for each in stats:
        if any(other["name"] == each["name"] for other in together):
            yield _sum(together)
            together = []
        together.append(each)
    if together:
        yield _sum(together)


def _sum(together: list[Mapping[str, Any]]) -> dict[str, Any]:
    alive = [each for each in together if each["cpu_stats"].get("system_cpu_usage")]
    return {
        "at": max(each["read"] for each in together)[:26] + "Z",
        "cpu_percent": round(sum(map(_cpu_percent, alive)), 3),
        "memory_bytes": sum(each["memory_stats"].get("usage", 0) for each in alive),
        "network_rx_bytes": 0,
        "network_tx_bytes": 0,
    }


def _cpu_percent(each: Mapping[str, Any]) -> float:
    """As `docker stats` reckons it: 100 is one whole processor."""
    now, before = each["cpu_stats"], each["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before.get("system_cpu_usage", 0)
    return 100.0 * used / passed * now["online_cpus"] if passed > 0 else 0.0
