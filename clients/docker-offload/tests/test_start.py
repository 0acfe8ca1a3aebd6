"""Starting and stopping, whatever goes wrong between."""

import json

import pytest
from fakes import KEY, account, problem

from docker_offload import engine, record
from docker_offload.failures import Unreachable
from docker_offload.record import ASKED, READY, STARTED, STOPPING, Record
from docker_offload.transport import Transport


def modes(path):
    return {entry.name: entry.stat().st_mode & 0o777 for entry in path.rglob("*")}


def test_docker_uses_the_engine_and_goes_back_afterwards(machine, portal):
    started = machine("start", "--label", "job=nightly", "--idle-timeout", "10m", "-s", "large")
    assert started.code == 0, started.err
    assert machine.context == "docker-offload"
    wish = portal.calls("POST", "/sessions")[0]
    assert wish["labels"] == {"job": "nightly"}
    assert (wish["engine_size"], wish["idle_timeout_seconds"]) == ("large", 600)
    assert wish["client"]["kind"] == "cli"
    stopped = machine("stop")
    assert stopped.code == 0, stopped.err
    assert "It was on for 1 h 2 m, billed 1 h, $1.23." in stopped.out
    assert machine.context == "default"
    assert machine.contexts == {}
    assert portal.session["end_reason"] == "stopped"
    assert not machine.store.keys.exists()
    assert not machine.store.record.exists()


def test_the_context_of_before_is_restored(machine):
    (machine.store.docker / "contexts.json").write_text(
        json.dumps({"mine": {"description": "", "host": "unix:///x"}})
    )
    (machine.store.docker / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    assert machine("start").code == 0
    assert machine("stop").code == 0
    assert machine.context == "mine"


def test_a_context_that_was_chosen_meanwhile_stays(machine):
    machine("start")
    (machine.store.docker / "config.json").write_text(json.dumps({"currentContext": "other"}))
    machine("stop")
    assert machine.context == "other"
    assert machine.contexts == {}


def test_somebody_elses_context_of_that_name_is_not_overwritten(machine, portal):
    theirs = {"docker-offload": {"description": "mine", "host": "unix:///x"}}
    (machine.store.docker / "contexts.json").write_text(json.dumps(theirs))
    failed = machine("start")
    assert failed.code == 1
    assert "docker context rm docker-offload" in failed.err
    assert machine.contexts == theirs
    assert portal.session["state"] == "ended"


def test_keys_lie_where_only_the_user_reads_them_and_are_no_arguments(machine):
    machine("start")
    found = modes(machine.store.directory)
    assert {mode for name, mode in found.items() if name.endswith((".pem", ".json"))} == {0o600}
    assert machine.store.directory.stat().st_mode & 0o777 == 0o700
    keys = list(machine.store.keys.rglob("key.pem"))
    assert [path.read_text() for path in keys] == [KEY]
    calls = (machine.store.docker / "calls.log").read_text()
    assert "BBBB" not in calls
    assert "access-1" not in calls


def test_a_refusal_says_sentence_code_and_whom_to_ask(machine, portal):
    contacts = [{"name": "Grace Hopper", "email": "grace@example.com"}]
    refused = problem(402, "no_allowance", "Nothing is left of the month.", contacts=contacts)
    portal.scripted["POST", "/api/v1/sessions"] = [refused]
    failed = machine("start")
    assert failed.code == 1
    assert "Nothing is left of the month. (no_allowance)" in failed.err
    assert "Ask Grace Hopper <grace@example.com>." in failed.err
    assert not machine.store.record.exists()
    assert machine.context == "default"


def test_of_several_accounts_a_script_is_told_which_to_pass(machine, portal):
    portal.people.append(account("beta", "Beta"))
    failed = machine("start")
    assert failed.code == 1
    assert "--account with one of: acme, beta" in failed.err
    assert machine("start", "--account", "beta").code == 0
    assert portal.session["organization"] == "beta"


def test_of_several_accounts_a_person_is_asked(machine, portal):
    portal.people.append(account("beta", "Beta", can_start=False, detail="You have no license."))
    started = machine("start", typed="7\n1\n")
    assert started.code == 0, started.err
    assert "2  Beta (beta)  (You have no license.)" in started.err
    assert portal.session["organization"] == "acme"


def test_the_persons_default_account_is_taken(machine, portal):
    portal.people.append(account("beta", "Beta", is_default=True))
    assert machine("start").code == 0
    assert portal.session["organization"] == "beta"


def test_an_unknown_account_starts_nothing(machine, portal):
    failed = machine("start", "-a", "nobody")
    assert (failed.code, portal.sessions) == (1, {})


def test_a_dry_run_changes_nothing(machine, portal):
    shown = machine("start", "--dry-run")
    assert shown.code == 0
    assert "Paid by: committed time, paid ahead" in shown.out
    assert portal.sessions == {}
    assert not machine.store.record.exists()


def test_a_lost_answer_starts_one_session(machine, portal):
    portal.scripted["POST", "/api/v1/sessions"] = [None, None]
    assert machine("start").code == 0
    assert len(portal.sessions) == 1
    assert len(portal.calls("POST", "/sessions")) == 3


def test_a_second_start_on_the_machine_finds_the_first(machine, portal):
    machine("start")
    again = machine("start")
    assert again.code == 0
    assert "running already" in again.out
    assert len(portal.sessions) == 1


def test_a_second_start_brings_docker_back_onto_the_session(machine, portal):
    machine("start")
    (machine.store.docker / "config.json").write_text(json.dumps({"currentContext": "default"}))
    (machine.store.docker / "contexts.json").write_text("{}")
    assert machine("start").code == 0
    assert machine.context == "docker-offload"


def test_where_the_host_is_full_the_start_waits_in_the_queue(machine, portal):
    full = problem(503, "engine_unavailable", "Every engine is taken.", queue_place=3)
    full = (full[0], full[1], {"Retry-After": "7"})
    portal.scripted["POST", "/api/v1/sessions"] = [full, full]
    started = machine("start", typed="")
    assert started.code == 0, started.err
    assert machine.clock.waits[:2] == [7, 7]
    assert "place 3 in the queue" in started.err


def test_a_start_gives_up_after_its_timeout_and_leaves_nothing(machine, portal):
    portal.ready_after = 10**6
    failed = machine("start", "--timeout", "0s")
    assert failed.code == 1
    assert "not ready within" in failed.err
    assert portal.session["state"] == "ended"
    assert not machine.store.record.exists()


def test_an_engine_that_fails_says_why(machine, portal):
    portal.ready_after = 10**6

    def fails():
        for session in portal.sessions.values():
            session.update(state="failed", end_reason="failed", failure="The disk is full.")

    machine.clock.on_sleep = fails
    failed = machine("start")
    assert failed.code == 1
    assert "The disk is full." in failed.err


def test_an_engine_whose_door_opens_a_moment_later_is_waited_for(machine, portal):
    early = problem(409, "session_not_ready", "The engine does not answer yet.")
    real, told = portal._engine, [early, early]
    portal._engine = lambda: told.pop() if told else real()
    assert machine("start").code == 0
    assert machine.context == "docker-offload"


def test_a_portal_without_engines_says_what_that_means(machine, portal):
    portal.external = True
    started = machine("start")
    assert started.code == 0
    assert "no engines of its own" in started.out
    assert machine.context == "default"
    assert machine("stop").code == 0
    assert portal.session["state"] == "ended"


def test_a_lost_answer_with_the_key_is_fetched_again(machine, portal):
    real, lost = portal.answer, []

    def answer(method, path, *rest):
        found = real(method, path, *rest)
        if path.endswith("/engine") and len(lost) < 2:
            lost.append(found)
            return None
        return found

    portal.answer = answer
    started = machine("start")
    assert started.code == 0, started.err
    assert len(portal.calls("GET", "/engine")) == 3
    key = engine.files_of(machine.store, portal.session["id"]).key
    assert key.read_text() == portal.key


@pytest.mark.parametrize("end", ["/engine", "/o/token"])
def test_an_answer_that_does_not_come_is_asked_for_again_within_half_a_minute(
    machine, portal, monkeypatch, end
):
    """For so long the portal gives the same key, and the same pair of tokens, once more."""
    real, asked = Transport.send, []

    def send(self, method, url, **more):
        if not url.endswith(end):
            return real(self, method, url, **more)
        asked.append(machine.clock.now)
        found = real(self, method, url, **more)
        if len(asked) < 3:
            machine.clock.now += more["timeout"]
            raise Unreachable("The portal says nothing.")
        return found

    monkeypatch.setattr(Transport, "send", send)
    portal.access = "access-0" if end == "/o/token" else portal.access
    assert machine("start").code == 0
    assert len(asked) == 3
    assert asked[-1] - asked[0] < 30


def test_a_key_that_was_given_to_somebody_else_ends_the_start(machine, portal):
    portal.key_given_to = "Bearer somebody else's"
    failed = machine("start")
    assert failed.code == 1
    assert portal.session["state"] == "ended"
    assert machine.context == "default"


def interrupted_after(patch, end):
    """A Ctrl-C right after the portal did the first request whose address ends so."""
    real, done = Transport.send, []

    def send(self, method, url, **more):
        answer = real(self, method, url, **more)
        if not done and f"{method} {url}".endswith(end):
            done.append(url)
            raise KeyboardInterrupt
        return answer

    patch.setattr(Transport, "send", send)


def interrupted_while_asleep(patch, machine):
    def interrupt():
        machine.clock.on_sleep = lambda: None
        raise KeyboardInterrupt

    machine.clock.on_sleep = interrupt


@pytest.mark.parametrize("where", ["/sessions", "/engine", "asleep"])
def test_an_interrupt_in_the_middle_of_a_start_leaves_nothing(machine, portal, where, monkeypatch):
    portal.ready_after = 3
    if where == "asleep":
        interrupted_while_asleep(monkeypatch, machine)
    else:
        interrupted_after(monkeypatch, where)
    result = machine("start")
    assert result.code == 130
    assert "Interrupted: undoing the start." in result.err
    assert [session["state"] for session in portal.sessions.values()] == ["ended"]
    assert machine.context == "default"
    assert machine.contexts == {}
    assert not machine.store.record.exists()
    assert not machine.store.keys.exists()


def crashed(machine, portal, stage):
    """What lies on disk when the plugin was killed at that stage of a start."""
    machine("start")
    kept = record.load(machine.store)
    assert kept is not None
    record.save(machine.store, kept.at(stage, session_id="" if stage == ASKED else kept.session_id))


@pytest.mark.parametrize("stage", [ASKED, STARTED, STOPPING])
@pytest.mark.parametrize("command", ["status", "stop"])
def test_after_a_crash_the_next_command_tidies_up(machine, portal, stage, command):
    crashed(machine, portal, stage)
    result = machine(command)
    assert result.code == 0, result.err
    assert portal.session["state"] == "ended"
    assert len(portal.sessions) == 1
    assert machine.context == "default"
    assert machine.contexts == {}
    assert not machine.store.record.exists()


def test_after_a_crash_before_the_portal_heard_of_it_nothing_is_started(machine, portal):
    record.save(machine.store, Record(portal.address, "acme", "Acme", {"organization": "acme"}))
    assert machine("status").code == 0
    assert portal.sessions == {}
    assert not machine.store.record.exists()


def test_a_context_of_ours_that_nobody_remembers_goes(machine):
    machine("start")
    machine.store.record.unlink()
    machine("stop")
    assert machine.context == "default"
    assert machine.contexts == {}


def test_where_the_portal_is_away_stop_restores_docker_and_says_what_is_left(machine, portal):
    machine("start")
    away = (503, {"code": "database_away", "detail": "Away."}, {"Retry-After": "5"})
    session = portal.session
    portal.scripted["POST", f"/api/v1/sessions/{session['id']}/stop"] = [away] * 20
    failed = machine("stop")
    assert failed.code == 1
    assert machine.context == "default"
    assert record.load(machine.store).stage == STOPPING
    portal.scripted.clear()
    assert machine("stop").code == 0
    assert session["state"] == "ended"


def test_an_end_by_itself_is_told_and_docker_restored(machine, portal):
    machine("start")
    portal.session.update(state="ended", end_reason="allowance_exhausted")
    shown = machine("status")
    assert "compute time was used up" in shown.err
    assert machine.context == "default"
    assert machine.contexts == {}


def test_variables_that_override_the_context_are_warned_of(machine):
    started = machine("start", DOCKER_HOST="tcp://elsewhere:2375")
    assert "DOCKER_HOST is set, so docker ignores the session: unset DOCKER_HOST" in started.err


@pytest.mark.parametrize("words", [["--label", "x"], ["--label", "1=2"], ["--timeout", "soon"]])
def test_bad_values_are_exit_code_125(machine, portal, words):
    failed = machine("start", *words)
    assert (failed.code, portal.requests) == (125, [])


def test_a_session_on_another_machine_is_stopped_too(machine, portal):
    machine("start")
    machine.store.record.unlink()
    stopped = machine("stop")
    assert stopped.code == 0
    assert portal.session["state"] == "ended"
    assert "No session is running." in machine("stop").out


def test_a_ready_record_is_kept_between_commands(machine):
    machine("start")
    assert record.load(machine.store).stage == READY
