"""What one session of the fake fleet will do: bursts of work, pauses, reports, containers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from offload_portal.pages.demo.cast import Company, Part
from sessions.services import ActivityReport, BuildSeen, ContainerSeen, SampleSeen
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


class Moment(NamedTuple):
    """A report: seconds from the session's start, its burst, whether that ends with it.

    `since` is when the report before it in the burst was made.
    """

    passed: int
    burst: Burst
    ends: bool
    since: int


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """`stops_after` None: nobody stops it, so it ends idle."""

    request: StartRequest
    bursts: tuple[Burst, ...]
    stops_after: int | None
    images: tuple[str, ...]
    builds: bool
    # Images that fail often, and what is built in each burst.
    flaky: tuple[str, ...] = ()
    built: tuple[str, ...] = ()

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
    images = tuple(random.choices(company.images, k=random.randrange(1, 4)))
    own = tuple(image for image in images if "/" in image)
    builds = random.random() < 0.5
    return SessionPlan(
        request=_request(random, company, part),
        bursts=bursts,
        stops_after=end + random.randrange(20, 400) if random.random() < 0.5 else None,
        images=images,
        builds=builds,
        flaky=company.flaky,
        built=own[:1] if builds else (),
    )


def _pipeline(random: Random, company: Company, part: Part) -> SessionPlan:
    work = random.randrange(240, 900)
    request = replace(
        _request(random, company, part),
        labels={"pipeline": random.choice(("main", "main", "release", "nightly"))},
    )
    return SessionPlan(
        request,
        (Burst(20, work),),
        work + 35,
        company.rebuilt,
        builds=True,
        built=company.rebuilt,
    )


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
        times = [*range(0, burst.seconds, step), burst.seconds]
        for before, passed in zip([0, *times], times, strict=False):
            ends = passed == burst.seconds
            yield Moment(burst.start + passed, burst, ends, burst.start + before)


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
    burst, ends = moment.burst, moment.ends
    runs: tuple[ContainerSeen, ...] = ()
    if ends or moment.passed == burst.start:
        runs = tuple(_runs(random, plan, started, burst, ends=ends))
    return ActivityReport(
        sequence=sequence,
        running_containers=len(plan.images),
        active_builds=int(plan.builds),
        api_calls=random.randrange(1, 40),
        containers=runs,
        samples=tuple(_samples(random, started, moment)) if samples else (),
        builds=tuple(_builds(random, plan, started, burst)) if ends else (),
    )


def _runs(
    random: Random, plan: SessionPlan, started: datetime, burst: Burst, *, ends: bool
) -> Iterator[ContainerSeen]:
    begin = started + timedelta(seconds=burst.start)
    for place, image in enumerate(plan.images):
        failed = random.random() < (0.3 if image in plan.flaky else 0.05)
        yield ContainerSeen(
            id=f"{int(begin.timestamp()):x}{place:02x}".ljust(64, "0"),
            name=image.partition(":")[0].rpartition("/")[2],
            image=image,
            started_at=begin,
            exited_at=begin + timedelta(seconds=burst.seconds - place) if ends else None,
            exit_code=(random.choice(FAILING) if failed else 0) if ends else None,
        )


def _builds(
    random: Random, plan: SessionPlan, started: datetime, burst: Burst
) -> Iterator[BuildSeen]:
    """One of each image after the other, at the beginning of the burst; a few fail."""
    at = started + timedelta(seconds=burst.start)
    for place, image in enumerate(plan.built):
        took = min(int(random.lognormvariate(4.6, 0.5)), burst.seconds // (len(plan.built) + 1))
        yield BuildSeen(
            id=f"{int(at.timestamp()):x}{place:02x}b",
            image=image,
            started_at=at,
            finished_at=at + timedelta(seconds=took),
            succeeded=random.random() >= 0.08,
        )
        at += timedelta(seconds=took + 2)


def _samples(random: Random, started: datetime, moment: Moment) -> Iterator[SampleSeen]:
    """Since the report before, each a little more or less than the last."""
    load, memory = random.randrange(40, 320), random.randrange(300, 6_000)
    for passed in range(moment.since, moment.passed, SAMPLE_EVERY_SECONDS):
        load = min(395, max(2, load + random.randrange(-45, 48)))
        memory = min(7_800, max(200, memory + random.randrange(-120, 140)))
        yield SampleSeen(
            at=started + timedelta(seconds=passed),
            cpu_milli_percent=load * 1_000,
            memory_bytes=memory * MEGABYTE,
            network_rx_bytes=random.randrange(1_000, 90 * MEGABYTE),
            network_tx_bytes=random.randrange(1_000, 9 * MEGABYTE),
        )
