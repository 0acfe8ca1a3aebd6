"""What one session of the fake fleet will do: bursts of work, pauses, reports, containers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from offload_portal.pages.demo.cast import Company, Part
from sessions.services import ActivityReport, ContainerSeen, SampleSeen
from sessions.services.starting import StartRequest

# A report every so often keeps the session active; the last one's activity lasts its timeout.
BEFORE_TIMEOUT_SECONDS = 40
SAMPLE_EVERY_SECONDS = 60
MEGABYTE = 1_000_000
CLIENT = {"cli": "1.4.2", "desktop": "4.61.0", "ci": "1.4.2"}
FAILING = (1, 1, 2, 125, 137, 139)


@dataclass(frozen=True, slots=True)
class Burst:
    """Work from `start` for `seconds`, both counted from the session's start."""

    start: int
    seconds: int


# Seconds from the session's start, the burst that it belongs to, whether that ends with it.
Moment = tuple[int, Burst, bool]


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """`stops_after` None: nobody stops it, so it ends idle."""

    request: StartRequest
    bursts: tuple[Burst, ...]
    stops_after: int | None
    images: tuple[str, ...]
    builds: bool

    @property
    def last_activity(self) -> int:
        """Seconds from the start; 0 where nothing ever happens."""
        return self.bursts[-1].start + self.bursts[-1].seconds if self.bursts else 0


def plan_session(random: Random, company: Company, part: Part) -> SessionPlan:
    """One of the kinds of session that this person has."""
    if part.client == "ci":
        return _pipeline(random, company, part)
    if random.random() < part.forgets:
        # Started and forgotten: the engine idles until it ends by itself.
        return SessionPlan(_request(random, company, part), (), None, (), builds=False)
    bursts = tuple(_bursts(random, company.idle_timeout_seconds))
    end = bursts[-1].start + bursts[-1].seconds
    return SessionPlan(
        request=_request(random, company, part),
        bursts=bursts,
        stops_after=end + random.randrange(20, 400) if random.random() < 0.5 else None,
        images=tuple(random.choices(company.images, k=random.randrange(1, 4))),
        builds=random.random() < 0.5,
    )


def _pipeline(random: Random, company: Company, part: Part) -> SessionPlan:
    work = random.randrange(240, 900)
    request = replace(
        _request(random, company, part),
        labels={"pipeline": random.choice(("main", "main", "release", "nightly"))},
    )
    return SessionPlan(request, (Burst(0, work),), work + 15, company.rebuilt, builds=True)


def _request(random: Random, company: Company, part: Part) -> StartRequest:
    names, weights = zip(*part.sizes, strict=True)
    size = random.choices(names, weights)[0]
    kind = part.client if part.client == "ci" else random.choice(("cli", "cli", "desktop"))
    system = random.choice((("darwin", "arm64"), ("linux", "amd64"), ("windows", "amd64")))
    client = {"kind": kind, "version": CLIENT[kind], "os": system[0], "arch": system[1]}
    has_gpu = size == "gpu"
    labels = {"project": random.choice(company.images).partition(":")[0].rpartition("/")[2]}
    return StartRequest(engine_size=size, gpu=has_gpu, labels=labels, client=client)


def _bursts(random: Random, timeout: int) -> Iterator[Burst]:
    start = random.randrange(5, 120)
    for _n in range(random.choices((1, 2, 3), (5, 3, 1))[0]):
        seconds = int(random.lognormvariate(7.1, 0.6))
        yield Burst(start, min(max(seconds, 120), 7_200))
        # Some pauses are short, some make the session idle, and none outlast its end.
        start += min(max(seconds, 120), 7_200) + random.randrange(60, timeout + 240)


def report_times(plan: SessionPlan, timeout: int) -> Iterator[Moment]:
    """When the client reports, in order."""
    step = timeout - BEFORE_TIMEOUT_SECONDS
    for burst in plan.bursts:
        yield burst.start, burst, False
        for passed in range(step, burst.seconds, step):
            yield burst.start + passed, burst, False
        yield burst.start + burst.seconds, burst, True


def build_report(
    random: Random,
    plan: SessionPlan,
    started: datetime,
    sequence: int,
    moment: Moment,
    *,
    samples: bool,
) -> ActivityReport:
    """What the client saw at the moment: its containers begin with a burst and end with it."""
    passed, burst, ends = moment
    runs: tuple[ContainerSeen, ...] = ()
    if ends or passed == burst.start:
        runs = tuple(_runs(random, plan, started, burst, ends=ends))
    return ActivityReport(
        sequence=sequence,
        running_containers=len(plan.images),
        active_builds=int(plan.builds),
        api_calls=random.randrange(1, 40),
        containers=runs,
        samples=tuple(_samples(random, started, passed)) if samples and not ends else (),
    )


def _runs(
    random: Random, plan: SessionPlan, started: datetime, burst: Burst, *, ends: bool
) -> Iterator[ContainerSeen]:
    begin = started + timedelta(seconds=burst.start)
    for place, image in enumerate(plan.images):
        failed = random.random() < 0.07
        yield ContainerSeen(
            id=f"{int(begin.timestamp()):x}{place:02x}".ljust(64, "0"),
            name=image.partition(":")[0].rpartition("/")[2],
            image=image,
            started_at=begin,
            exited_at=begin + timedelta(seconds=burst.seconds - place) if ends else None,
            exit_code=(random.choice(FAILING) if failed else 0) if ends else None,
        )


def _samples(random: Random, started: datetime, passed: int) -> Iterator[SampleSeen]:
    load, memory = random.randrange(40, 320), random.randrange(300, 6_000)
    for place in range(6):
        yield SampleSeen(
            at=started + timedelta(seconds=passed + place * SAMPLE_EVERY_SECONDS),
            cpu_milli_percent=max(1, load + random.randrange(-30, 60)) * 1_000,
            memory_bytes=(memory + random.randrange(-40, 200)) * MEGABYTE,
            network_rx_bytes=random.randrange(1_000, 90 * MEGABYTE),
            network_tx_bytes=random.randrange(1_000, 9 * MEGABYTE),
        )
