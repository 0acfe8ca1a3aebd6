"""What one engine says of itself: containers, their runs, builds, what they use."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from sessions.services import ContainerSeen, SampleSeen

API_VERSION = "1.41"
PATIENCE_SECONDS = 10
SAMPLE_EVERY = timedelta(seconds=15)
# Events are asked for again a little way back: the same run told twice is one run.
OVERLAP = timedelta(seconds=2)
# An image's name with its tag may be longer; one such must not silence the watcher.
LONGEST_NAME = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What a client of an engine may raise when the engine is away or on its way out.
AwayError = (DockerException, RequestException, OSError)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an engine: what runs now, and what is new since the last look that was kept."""

    at: datetime
    running: int
    building: int
    runs: tuple[ContainerSeen, ...]
    samples: tuple[SampleSeen, ...]


@dataclass
class Eye:
    """Looks at one engine through its socket; the portal's own calls are no activity."""

    session_id: uuid.UUID
    address: str
    since: datetime
    _told: dict[str, ContainerSeen] = field(default_factory=dict)
    _sampled_at: datetime = _EPOCH
    _before: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self, at: datetime) -> Look:
        """Raises one of `AwayError` where the engine does not answer; nothing is lost then.

        The next look tells the same again until `keep` says that this one was written down.
        """
        client = docker.APIClient(
            base_url=f"unix://{self.address}", version=API_VERSION, timeout=PATIENCE_SECONDS
        )
        try:
            return self._look(client, at)
        finally:
            client.close()

    def _look(self, client: docker.APIClient, at: datetime) -> Look:
        listed = client.containers()
        steps = [one for one in listed if _is_step(one["Image"])]
        runs = tuple(self._runs(client, at))
        samples = self._samples(client, listed, at)
        return Look(at, len(listed) - len(steps), len(steps), runs, samples)

    def keep(self, look: Look) -> None:
        """What it told need not be told again."""
        self.since = look.at
        if look.samples:
            self._sampled_at = look.at

    def _runs(self, client: docker.APIClient, at: datetime) -> Iterator[ContainerSeen]:
        """Runs that began or ended since the last look, from the engine's own events."""
        events = client.events(
            since=_stamp(self.since - OVERLAP),
            until=_stamp(at + timedelta(seconds=1)),
            filters={"type": "container", "event": ["start", "die"]},
            decode=True,
        )
        for event in events:
            if _is_step(event.get("from", "")):
                continue
            run = self._started(event) if event["Action"] == "start" else self._died(event)
            if run is not None:
                yield run

    def _started(self, event: Mapping[str, Any]) -> ContainerSeen:
        run = ContainerSeen(
            id=event["id"],
            image=event.get("from", "")[:LONGEST_NAME],
            name=event["Actor"]["Attributes"].get("name", "")[:LONGEST_NAME],
            started_at=_instant(event),
        )
        self._told[run.id] = run
        return run

    def _died(self, event: Mapping[str, Any]) -> ContainerSeen | None:
        begun = self._told.get(event["id"])
        if begun is None:
            return None
        return ContainerSeen(
            id=begun.id,
            image=begun.image,
            name=begun.name,
            started_at=begun.started_at,
            exited_at=_instant(event),
            exit_code=int(event["Actor"]["Attributes"].get("exitCode", 0)),
        )

    def _samples(
        self, client: docker.APIClient, listed: list[Mapping[str, Any]], at: datetime
    ) -> tuple[SampleSeen, ...]:
        """What all containers used together, at most every 15 seconds."""
        if not listed or at - self._sampled_at < SAMPLE_EVERY:
            return ()
        stats = list(_stats(client, listed))
        return (
            SampleSeen(
                at=at,
                cpu_milli_percent=sum(self._cpu(one) for one in stats),
                memory_bytes=sum(one.get("memory_stats", {}).get("usage", 0) for one in stats),
                network_rx_bytes=sum(_network(one, "rx_bytes") for one in stats),
                network_tx_bytes=sum(_network(one, "tx_bytes") for one in stats),
            ),
        )

    def _cpu(self, stats: Mapping[str, Any]) -> int:
        """Thousandths of a percent of one processor since the last sample, as `docker stats`."""
        cpu = stats.get("cpu_stats", {})
        system, used = (
            cpu.get("system_cpu_usage", 0),
            cpu.get("cpu_usage", {}).get("total_usage", 0),
        )
        before = self._before.get(stats["id"])
        self._before[stats["id"]] = (used, system)
        if before is None or system <= before[1]:
            return 0
        processors = cpu.get("online_cpus", 1)
        return int(max(0, used - before[0]) * processors * 100_000 // (system - before[1]))


def _is_step(image: str) -> bool:
    """The legacy builder runs each step in a container of an image that has no name yet."""
    return image.startswith("sha256:")


def _stats(
    client: docker.APIClient, listed: list[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Of those that are still there: one may have gone since they were listed."""
    for one in listed:
        with suppress(NotFound):
            yield client.stats(one["Id"], stream=False, one_shot=True)


def _network(stats: Mapping[str, Any], key: str) -> int:
    return sum(int(one.get(key, 0)) for one in (stats.get("networks") or {}).values())


def _instant(event: Mapping[str, Any]) -> datetime:
    return _EPOCH + timedelta(microseconds=int(event["timeNano"]) // 1_000)


def _stamp(at: datetime) -> str:
    return f"{(at - _EPOCH) // timedelta(microseconds=1) / 1_000_000:.6f}"
