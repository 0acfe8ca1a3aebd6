"""The agent: makes what is there the same as what is wanted, again and again.

It is driven by levels, not by messages: each round reads what the database wants and what the host
has, and does what is missing. So it may be killed at any instant, the database may be away, and two
rounds do no more than one. Steps that take long run in threads: a slow one holds nobody up.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone

from offload_portal.common import heartbeat
from offload_portal.common.periods import cut_to_second
from sessions.engines.announcements import announce, withdraw
from sessions.engines.hosting import Host, Order, Place, StartFailedError, StartInterruptedError
from sessions.host.decisions import Action, Do, decide
from sessions.selectors.hosting import EngineWish, engine_wishes
from sessions.services import hosting
from usage.rates import DEFAULT_SIZES

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
LONGEST_BETWEEN_ROUNDS = timedelta(seconds=10)
AFTER_TROUBLE_SECONDS = 2.0
ANNOUNCE_EVERY_ROUNDS = 10
ASK_EVERY_ROUNDS = 10
MOST_STEPS_AT_ONCE = 16
SIZES = {size.name: size for size in DEFAULT_SIZES}


class Agent:
    """One for each host. `run` returns when `stop` is set; engines go on then.

    While the door is not `is_open`, the host lives but takes no new session.
    """

    def __init__(self, host: Host, is_open: Callable[[], bool] = lambda: True) -> None:
        self.host = host
        self._is_open = is_open
        self._steps = ThreadPoolExecutor(MOST_STEPS_AT_ONCE, thread_name_prefix="engine-step")
        self._asks = ThreadPoolExecutor(4, thread_name_prefix="engine-ask")
        self._busy: dict[uuid.UUID, threading.Event] = {}
        self._futures: set[Future[None]] = set()
        self._asked: dict[uuid.UUID, Future[bool]] = {}
        # From when on an engine's silence counts, and when a round last came to its end.
        self._since = self._round_at = cut_to_second(timezone.now())
        self._rounds = 0
        self._announced_open = False

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                stop.wait(ROUND_SECONDS if self.try_round() else AFTER_TROUBLE_SECONDS)
        finally:
            self.close()
            # The loop's thread ends here, and nobody else can close its connection.
            connections.close_all()

    def try_round(self) -> bool:
        """A round, or False where it has to be tried again later."""
        try:
            self.round(cut_to_second(timezone.now()))
        except DatabaseError as error:
            logger.warning("The database is away; engines go on without it: %s", error)
            connections.close_all()
            return False
        except Exception:
            logger.exception("A round of the engine host failed; the next one tries again.")
            return False
        return True

    def round(self, at: datetime) -> None:
        """One comparison, and the steps that it asks for begun."""
        close_old_connections()
        if at - self._round_at > LONGEST_BETWEEN_ROUNDS:
            # This process slept, or could not see the database: nobody asked the engines meanwhile.
            self._since = at
        self._announce(at)
        # Read first who is busy: a step that ends meanwhile is looked at in the next round.
        busy = frozenset(self._busy)
        found = self.host.survey()
        wishes = {
            wish.session_id: wish
            for wish in engine_wishes(provider=self.host.provider, host_name=self.host.name, at=at)
        }
        if self._rounds % ASK_EVERY_ROUNDS == 0:
            self._ask([one.session_id for one in found if one.alive])
        actions = decide(
            wishes.values(),
            found,
            busy=busy,
            capacity=self.host.capacity(),
            at=at,
            since=self._since,
        )
        for action in actions:
            self._begin(action, wishes.get(action.session_id))
        self._rounds += 1
        self._round_at = at

    def _announce(self, at: datetime) -> None:
        """Every few seconds, and at once when the door opens or shuts."""
        is_open = self._is_open()
        if self._rounds % ANNOUNCE_EVERY_ROUNDS and is_open == self._announced_open:
            return
        self._announced_open = is_open
        heartbeat.beat("engines")
        capacity = self.host.capacity() if is_open else 0
        announce(host_name=self.host.name, capacity=capacity, at=at)

    # --- Asking --------------------------------------------------------------------------------

    def _ask(self, alive: list[uuid.UUID]) -> None:
        for session_id in alive:
            earlier = self._asked.get(session_id)
            if earlier is None or earlier.done():
                self._asked[session_id] = self._asks.submit(self._answers, session_id)
        for session_id in self._asked.keys() - set(alive):
            del self._asked[session_id]

    def _answers(self, session_id: uuid.UUID) -> bool:
        return self.host.answers(session_id, cut_to_second(timezone.now()))

    # --- Steps ---------------------------------------------------------------------------------

    def _begin(self, action: Action, wish: EngineWish | None) -> None:
        if action.do is Do.INTERRUPT:
            if action.session_id in self._busy:
                self._busy[action.session_id].set()
            return
        if action.session_id in self._busy:
            return
        interrupted = self._busy[action.session_id] = threading.Event()
        steps: dict[Do, Callable[[], None]] = {
            Do.START: lambda: self._start(action, wish, interrupted),
            Do.RESUME: lambda: self._bring_up(wish, interrupted),
            Do.FAIL: lambda: self._fail(action.session_id, action.reason),
            Do.LOSE: lambda: self._lose(action),
            Do.END: lambda: self._end(action.session_id),
            Do.REMOVE: lambda: self._remove(action.session_id),
            Do.FORGET: lambda: self._forget(action.session_id),
        }
        self._futures = {future for future in self._futures if not future.done()}
        self._futures.add(self._steps.submit(self._step, action, steps[action.do]))

    def _step(self, action: Action, step: Callable[[], None]) -> None:
        try:
            step()
        except DatabaseError as error:
            logger.warning("Step %s of %s waits: %s", action.do, action.session_id, error)
        except Exception:
            logger.exception("Step %s of %s failed.", action.do, action.session_id)
        finally:
            # Each thread has a connection of its own, which may rest for hours.
            connections.close_all()
            self._busy.pop(action.session_id, None)

    def _start(self, action: Action, wish: EngineWish | None, interrupted: threading.Event) -> None:
        taken = hosting.take_engine(
            session_id=action.session_id, host_name=self.host.name, slot=action.slot or 0
        )
        if taken:
            self._bring_up(wish, interrupted)

    def _bring_up(self, wish: EngineWish | None, interrupted: threading.Event) -> None:
        if wish is None:
            return
        session_id = wish.session_id
        seconds = (wish.answer_by - timezone.now()).total_seconds()
        try:
            place = self.host.start(Order(session_id, SIZES[wish.size], seconds, interrupted))
        except StartInterruptedError:
            return
        except StartFailedError as error:
            self._fail(session_id, str(error))
            return
        self._ready(session_id, place)

    def _ready(self, session_id: uuid.UUID, place: Place) -> None:
        in_time = hosting.note_ready(
            at=cut_to_second(timezone.now()),
            session_id=session_id,
            address=place.address,
            left_out=place.left_out,
            timings=place.timings,
        )
        if in_time:
            logger.info("Engine of %s answers: %s", session_id, dict(place.timings))
        for sentence in place.left_out:
            logger.warning("Engine of %s: %s", session_id, sentence)

    def _fail(self, session_id: uuid.UUID, reason: str) -> None:
        logger.error("Engine of %s did not start: %s", session_id, reason)
        at = cut_to_second(timezone.now())
        hosting.note_failed(at=at, session_id=session_id, reason=reason)

    def _lose(self, action: Action) -> None:
        logger.error("Engine of %s is lost: %s", action.session_id, action.reason)
        hosting.note_lost(
            at=cut_to_second(timezone.now()),
            session_id=action.session_id,
            reason=action.reason,
            last_seen_at=cut_to_second(action.seen_at) if action.seen_at else None,
        )

    def _end(self, session_id: uuid.UUID) -> None:
        hosting.note_over(at=cut_to_second(timezone.now()), session_id=session_id)

    def _remove(self, session_id: uuid.UUID) -> None:
        self.host.remove(session_id)
        self._forget(session_id)
        logger.info("Engine of %s is removed.", session_id)

    def _forget(self, session_id: uuid.UUID) -> None:
        hosting.note_removed(at=cut_to_second(timezone.now()), session_id=session_id)

    # --- The end -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until every step that was begun is done."""
        wait(self._futures)

    def close(self) -> None:
        """Starts that are under way are left as they are; the next agent goes on with them."""
        withdraw(self.host.name)
        for interrupted in list(self._busy.values()):
            interrupted.set()
        self._steps.shutdown(wait=True, cancel_futures=True)
        self._asks.shutdown(wait=False, cancel_futures=True)
