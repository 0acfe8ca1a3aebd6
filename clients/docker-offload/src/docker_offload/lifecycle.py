"""A session on this machine from its start to its end, and after a crash in between."""

import uuid
from typing import Any

from docker_offload import CONTEXT, engine, record
from docker_offload.app import App
from docker_offload.docker import DEFAULT
from docker_offload.failures import Failure, Refused, SignedOut, Unreachable
from docker_offload.interrupts import shielded
from docker_offload.record import ASKED, READY, STARTED, STOPPING, Record
from docker_offload.words import duration, why_ended

LONG_WAIT = 10
# While a session runs the portal may restart; that takes longer than a command's patience.
RESTART_PATIENCE = 90.0
TIDY_PATIENCE = 15.0
QUEUE_PAUSE = 5
IS_EXTERNAL = "engine_is_external"
NOT_READY = "session_not_ready"
OVER = ("ended", "failed")


class Lifecycle:
    """Every method that changes the session of this machine is called within `app.alone()`."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.tell = app.terminal.note

    # --- Starting ---

    def start(
        self, organization: str, name: str, wish: dict[str, Any], timeout: float
    ) -> dict[str, Any]:
        """Begin a session and bring docker onto it, or leave everything as it was."""
        app = self.app
        current = app.docker.current()
        kept = Record(
            portal=app.store.portal(),
            organization=organization,
            name=name,
            wish=wish,
            before=DEFAULT if current == CONTEXT else current,
        )
        try:
            record.save(app.store, kept)
            return self._begin(kept, app.clock.seconds() + timeout)
        except BaseException as error:
            with shielded():
                self._give_up(kept, error)
            raise

    def _begin(self, kept: Record, until: float) -> dict[str, Any]:
        session = self._ask(kept, until)
        kept = record.save(
            self.app.store, kept.at(STARTED, session_id=str(uuid.UUID(session["id"])))
        )
        session = self._wait_until_ready(kept, session, until)
        return self._connect(kept, session, until)

    def _ask(self, kept: Record, until: float) -> dict[str, Any]:
        """POST /sessions; where the host is full, wait for a place as long as there is time."""
        portal, clock = self.app.portal(kept.portal), self.app.clock
        while True:
            try:
                return portal.start(kept.wish, kept.key)
            except Refused as refusal:
                pause = refusal.retry_after or QUEUE_PAUSE
                if refusal.code != "engine_unavailable" or clock.seconds() + pause > until:
                    raise
                self.app.terminal.progress(_queued(refusal))
                clock.sleep(pause)

    def _wait_until_ready(
        self, kept: Record, session: dict[str, Any], until: float
    ) -> dict[str, Any]:
        portal, clock, tag = self.app.portal(kept.portal), self.app.clock, ""
        begun = clock.seconds()
        while session["state"] == "starting":
            left = until - clock.seconds()
            if left <= 0:
                length = duration(round(clock.seconds() - begun))
                raise Failure(f"The engine was not ready within {length}.", "See --timeout.")
            self.app.terminal.progress(
                f"Starting the engine … {duration(int(clock.seconds() - begun))}"
            )
            if not tag:
                clock.sleep(min(0.5, left))
            session, tag = portal.session(
                kept.session_id, wait=max(1, min(LONG_WAIT, int(left))), etag=tag,
                patience=RESTART_PATIENCE,
            )  # fmt: skip
        if session["state"] in OVER:
            raise Failure(f"The session ended before it was ready. {why_ended(session)}")
        return session

    def _connect(self, kept: Record, session: dict[str, Any], until: float) -> dict[str, Any]:
        """Keys to files, a context of them, docker onto the context."""
        app = self.app
        found = self._engine(kept, until)
        if found is None:
            record.save(app.store, kept.at(READY, external=True))
            return session
        host = engine.address_of(found)
        files = engine.keep(app.store, kept.session_id, found)
        app.docker.make(kept.session_id, host, files)
        app.docker.use(CONTEXT)
        record.save(app.store, kept.at(READY))
        return session

    def _engine(self, kept: Record, until: float) -> dict[str, Any] | None:
        """How to reach it; None where the portal has no engines of its own.

        A session may be ready a moment before its engine's door is.
        """
        portal, clock = self.app.portal(kept.portal), self.app.clock
        while True:
            try:
                return portal.engine(kept.session_id)
            except Refused as refusal:
                if refusal.code == IS_EXTERNAL:
                    return None
                if refusal.code != NOT_READY or clock.seconds() >= until:
                    raise
                clock.sleep(0.5)

    def _give_up(self, kept: Record, error: BaseException) -> None:
        """Undo a start. What the portal could not be told stays on disk for the next command."""
        now = record.load(self.app.store) or kept
        if isinstance(error, KeyboardInterrupt):
            self.tell("Interrupted: undoing the start.")
        # A refusal of the start itself: there is no session.
        nothing_begun = isinstance(error, Refused | SignedOut) and now.stage == ASKED
        if nothing_begun:
            self._restore(now)
            return
        try:
            self.finish(now)
        except Failure as failure:
            self.tell(str(failure.sentence))

    # --- Ending ---

    def finish(self, kept: Record) -> dict[str, Any] | None:
        """Restore docker first, then end the session; the session as it ended, if there was one."""
        store = self.app.store
        stopping = record.save(store, kept.at(STOPPING))
        self._restore_docker(stopping)
        try:
            session = self._stop(stopping)
        except (Unreachable, SignedOut) as failure:
            sentence = (
                f"{failure.sentence} Docker is restored; the session still has to be stopped."
            )
            hint = failure.hint or "Run docker offload stop again; idle, it ends by itself."
            raise type(failure)(sentence, hint) from failure
        record.forget(store)
        return session

    def _stop(self, kept: Record) -> dict[str, Any] | None:
        portal = self.app.portal(kept.portal)
        session_id = kept.session_id or self._begun(kept)
        if not session_id:
            return None
        try:
            return portal.stop(session_id, patience=TIDY_PATIENCE)
        except Refused as refusal:
            if refusal.status in (404, 410):
                return None
            raise

    def _begun(self, kept: Record) -> str:
        """The session of a start whose answer was lost: the same key gets the same answer.

        Only where something runs, so that asking again does not start one.
        """
        portal = self.app.portal(kept.portal)
        try:
            if not portal.running_sessions(kept.organization):
                return ""
            return str(portal.start(kept.wish, kept.key, patience=TIDY_PATIENCE)["id"])
        except Refused:
            return ""

    def _restore_docker(self, kept: Record) -> None:
        """Docker back to where it was; keys and context away."""
        if not kept.external:
            self.app.docker.restore(kept.before)
            self.app.docker.remove()
        engine.drop(self.app.store)

    def _restore(self, kept: Record) -> None:
        self._restore_docker(kept)
        record.forget(self.app.store)

    # --- Afterwards ---

    def settle(self) -> tuple[Record | None, dict[str, Any] | None]:
        """The session of this machine as it is now, once whatever was left half done is done.

        (None, session): it ended since the last command, which was said.
        """
        kept = record.load(self.app.store)
        if kept is None:
            self._restore_orphan()
            return None, None
        if kept.stage != READY:
            return None, self._finish_left_over(kept)
        try:
            session, _tag = self.app.portal(kept.portal).session(kept.session_id)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            self.tell("The session of this machine is not there any more.")
            self._restore(kept)
            return None, None
        if session["state"] in OVER:
            self.tell(f"The session has ended. {why_ended(session)}")
            self._restore(kept)
            self._tell_context(kept)
            return None, session
        return kept, session

    def _finish_left_over(self, kept: Record) -> dict[str, Any] | None:
        session = self.finish(kept)
        if kept.stage == STOPPING:
            self.tell("The session that was to be stopped is stopped.")
        elif session is not None:
            self.tell("An earlier start was cut short; its session is stopped.")
        return session

    def _restore_orphan(self) -> None:
        """Docker is on a context of ours, but nothing says whose session it was."""
        docker = self.app.docker
        if docker.current() == CONTEXT and docker.has_ours():
            docker.restore(DEFAULT)
            docker.remove()
            engine.drop(self.app.store)
            self.tell("Docker was on a session that is gone; it uses the context default again.")

    def _tell_context(self, kept: Record) -> None:
        if not kept.external:
            self.tell(f"Docker uses the context {self.app.docker.current()} again.")

    def reconnect(self, kept: Record) -> bool:
        """Bring docker back onto a session that runs, where somebody changed the context."""
        docker = self.app.docker
        if kept.external or (docker.current() == CONTEXT and docker.has_ours()):
            return False
        if not docker.has_ours():
            found = self.app.portal(kept.portal).engine(kept.session_id)
            host = engine.address_of(found)
            docker.make(kept.session_id, host, engine.keep(self.app.store, kept.session_id, found))
        record.save(self.app.store, kept.at(READY, before=docker.current()))
        docker.use(CONTEXT)
        return True


def _queued(refusal: Refused) -> str:
    place = refusal.problem.get("queue_place") or refusal.problem.get("place")
    where = f", place {place} in the queue" if place else ""
    return f"Every engine is taken{where}; waiting …"
