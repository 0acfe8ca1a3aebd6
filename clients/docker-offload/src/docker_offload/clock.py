"""Time that goes on while the machine sleeps and that nobody sets."""

import random
import time


class Clock:
    """Lengths of waits; instants of sessions come from the portal, never from here."""

    def seconds(self) -> float:
        """Seconds since some start. Where the system can, time asleep counts."""
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot is None else time.clock_gettime(boot)

    def wall(self) -> float:
        """POSIX seconds by this machine's clock, which may be wrong: only to compare."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class Patience:
    """Growing pauses between tries, as long as `limit` seconds are not over.

    Time in which the machine slept does not count: whoever opens the lid gets all tries.
    """

    FIRST, LONGEST = 0.5, 10.0
    # No try takes so long by itself.
    ASLEEP = 150.0

    def __init__(self, clock: Clock, limit: float) -> None:
        self.clock = clock
        self.since = clock.seconds()
        self.until = self.since + limit
        self.pause = self.FIRST

    def again(self, wanted: float | None = None) -> bool:
        """Sleep before the next try; False where it would come too late. `wanted`: Retry-After."""
        took = self.clock.seconds() - self.since
        if took > self.ASLEEP:
            self.until += took
        pause = self.pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads tries, keeps no secret
        if wanted is not None:
            pause = max(wanted, pause)
        if self.clock.seconds() + pause > self.until:
            return False
        self.clock.sleep(pause)
        self.since = self.clock.seconds()
        self.pause = min(self.pause * 2, self.LONGEST)
        return True
