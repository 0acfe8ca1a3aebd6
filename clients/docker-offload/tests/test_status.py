"""What a person is shown, and what programs may rely on."""

import json

import pytest
from fakes import allowance, problem

from docker_offload.clock import Patience
from docker_offload.failures import Unreachable
from docker_offload.transport import Transport

PROMPT = {
    "kind": "session", "due_at": "2026-11-24T11:02:00Z", "answer_by": "2026-11-24T11:03:00Z",
}  # fmt: skip


def test_status_shows_account_state_times_bar_and_cost(machine, portal):
    machine("start")
    portal.session.update(state="active", seconds_until_idle=245, seconds_until_end=None)
    shown = machine("status").out
    for line in (
        "  Account: Acme (acme)",
        "  State: Started (Active)",
        "  Duration: 1 h 2 m",
        "  Time until idle: 4 m 5 s",
        "  Time until end: N/A",
        "  GPU: no",
        "  Cost so far: $1.23",
        "  47.5 h left of 60 h",
        "Forecast 25 h ^",
        "Committed        12.5 h of 50 h used",
        "On-demand        0 h of 10 h used   $0.00 of $20.00",
        "Reserved         1 h by running sessions",
    ):
        assert line.strip() in shown
    assert "On this machine" not in shown


def test_the_json_keeps_its_names(machine, portal):
    machine("start")
    found = machine("status", "--format", "json").json()
    assert sorted(found) == [
        "account", "allowance", "context", "on_this_machine", "portal", "schema", "session",
        "state",
    ]  # fmt: skip
    assert found["schema"] == 1
    assert found["state"] == "idle"
    assert found["account"] == {"slug": "acme", "name": "Acme"}
    assert found["context"] == {"current": "docker-offload", "is_offload": True}
    assert found["session"]["seconds_until_end"] == 300
    assert found["allowance"]["left_compute_seconds"] == 171_000


RUNS_OUT = {
    "kind": "allowance_low", "sentence": "Compute time runs out at about 11:17 UTC.",
    "at": "2026-11-24T11:17:00Z", "urgent": False, "ends_session": True,
}  # fmt: skip


@pytest.mark.parametrize(("urgent", "word"), [(False, "Notice"), (True, "Soon")])
def test_what_the_portal_gives_notice_of_is_shown(machine, portal, urgent, word):
    machine("start")
    portal.session.update(notices=[{**RUNS_OUT, "urgent": urgent}])
    assert f"  {word}: Compute time runs out at about 11:17 UTC." in machine("status").out
    found = machine("status", "--format", "json").json()
    assert found["session"]["notices"][0]["kind"] == "allowance_low"


def test_a_start_shows_what_it_begins_with(machine, portal):
    portal.beginning = {"notices": [RUNS_OUT]}
    assert "Notice: Compute time runs out at about 11:17 UTC." in machine("start").err


def test_a_job_that_keeps_the_session_alive_is_named(machine, portal):
    machine("start")
    kept = {"label": "nightly build", "until": "2026-11-24T12:00:00Z"}
    portal.session.update(state="active", keep_alive=kept)
    shown = machine("status").out
    assert "Kept alive by: the job nightly build, until 2026-11-24T12:00:00Z" in shown


def test_without_a_session_the_state_is_not_started(machine):
    assert machine("status", "-f", "json").json()["state"] == "not_started"
    assert "State: Not started" in machine("status").out


def test_a_session_of_another_machine_is_shown_as_such(machine):
    machine("start")
    machine.store.record.unlink()
    assert "On this machine: no" in machine("status").out


def test_names_of_others_can_not_steer_the_terminal(machine, portal):
    portal.people[0]["name"] = "Acme\x1b[2J\u202e\nState: fine"
    shown = machine("status").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\n  State: fine" not in shown


def test_a_portal_that_restarts_is_waited_for(machine, portal):
    away = (503, {"code": "database_away", "detail": "Away."}, {"Retry-After": "5"})
    portal.scripted["GET", "/api/v1/accounts"] = [None, away, (502, b"<html>", {})]
    assert machine("status").code == 0
    assert machine.clock.waits[1] == 5


def test_a_portal_that_stays_away_is_an_error(machine, portal):
    portal.scripted["GET", "/api/v1/accounts"] = [None] * 50
    failed = machine("status")
    assert failed.code == 1
    assert "can't be reached" in failed.err


def test_something_else_at_the_address_is_no_portal(machine, portal):
    portal.scripted["GET", "/api/v1/accounts"] = [(200, b"<html>hello</html>", {})]
    assert "is it an Offload Portal?" in machine("status").err


def ends(portal, after):
    """The session ends after so many looks; each look is a change."""
    real, looks = portal._act, []

    def act(session, name, body):
        if name == "":
            looks.append(session["id"])
            if len(looks) >= after:
                session.update(state="ended", end_reason="idle", prompt=None)
        return real(session, name, body)

    portal._act = act


def test_watching_ends_with_the_session_and_restores_docker(machine, portal):
    machine("start")
    ends(portal, 4)
    watched = machine("status", "--watch")
    assert watched.code == 0
    assert "idle too long" in watched.err
    assert machine.context == "default"
    assert not machine.store.record.exists()


def test_a_portal_that_holds_as_many_as_it_can_is_not_asked_without_a_pause(machine, portal):
    machine("start")
    ends(portal, 6)
    before = len(machine.clock.waits)
    assert machine("status", "--watch").code == 0
    # Each look at an unchanged session was answered at once here.
    assert machine.clock.waits[before:].count(5) >= 3


def asleep(monkeypatch, machine, seconds):
    """The lid is closed in the middle of the next look at the session."""
    real, slept = Transport.send, []

    def send(self, method, url, **more):
        if "/sessions/" in url and not slept:
            slept.append(url)
            machine.clock.now += seconds
            raise Unreachable("The connection broke.")
        return real(self, method, url, **more)

    monkeypatch.setattr(Transport, "send", send)


def test_a_machine_that_was_asleep_for_an_hour_goes_on_watching(machine, portal, monkeypatch):
    machine("start")
    asleep(monkeypatch, machine, 3_600)
    machine.clock.on_sleep = lambda: portal.session.update(state="ended", end_reason="idle")
    shown = machine("status", "--watch")
    assert shown.code == 0, shown.err
    assert "idle too long" in shown.err
    assert machine.context == "default"


def test_a_machine_that_was_asleep_also_gets_a_new_token(machine, portal, monkeypatch):
    machine("start")
    asleep(monkeypatch, machine, 3_600)
    portal.access = "access-9"
    shown = machine("status")
    assert shown.code == 0, shown.err
    assert "Started" in shown.out


def test_a_portal_that_is_away_for_long_is_no_sleep(machine, portal):
    """The clock goes on while one waits: that is no reason to wait for ever."""
    patience = Patience(machine.clock, 600)
    tries = 0
    while patience.again():
        machine.clock.now += 80  # the longest a try takes
        tries += 1
    assert tries < 10


def test_watching_as_json_is_a_line_for_each_change(machine, portal):
    machine("start")
    ends(portal, 4)
    lines = machine("status", "-w", "-f", "json").out.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["idle", "ended"]


def test_a_prompt_is_answered_by_the_flag(machine, portal):
    machine("start")
    portal.session.update(state="active", prompt=dict(PROMPT))
    ends(portal, 5)
    assert machine("status", "--watch", "--answer", "stay").code == 0
    assert portal.calls("POST", "/prompt") == [{"answer": "stay"}]


@pytest.mark.parametrize(("typed", "answer"), [("s\n", "stay"), ("Idle\n", "idle")])
def test_a_prompt_is_asked_in_the_terminal(machine, portal, typed, answer, monkeypatch):
    from docker_offload.terminal import Terminal

    seconds = []

    def typed_within(terminal, left):
        seconds.append(left)
        return typed.strip()

    monkeypatch.setattr(Terminal, "typed_within", typed_within)
    machine("start")
    portal.session.update(state="active", prompt=dict(PROMPT))
    ends(portal, 5)
    watched = machine("status", "--watch", typed="")
    # By the portal's clock, whatever this machine's says.
    assert "Without an answer it is idle in 55 s." in watched.err
    assert portal.calls("POST", "/prompt") == [{"answer": answer}]


def test_without_a_terminal_nobody_is_asked(machine, portal):
    machine("start")
    portal.session.update(state="active", prompt=dict(PROMPT))
    ends(portal, 4)
    machine("status", "--watch")
    assert portal.calls("POST", "/prompt") == []


@pytest.mark.parametrize("answer", ["stay", "idle"])
def test_stay_and_idle_answer(machine, portal, answer):
    machine("start")
    assert machine(answer).code == 0
    assert portal.calls("POST", "/prompt") == [{"answer": answer}]


def test_stay_without_a_session_is_an_error(machine):
    assert machine("stay").code == 1


def test_insights_tell_what_a_session_did(machine):
    machine("start")
    shown = machine("insights")
    assert shown.code == 0, shown.err
    assert "Active 1 h, idle 2 m 5 s, billed 1 h" in shown.out
    assert "nginx:1.27" in shown.out
    assert "\x1b" not in shown.out
    machine("stop")
    assert "Ended: You stopped it." in machine("insights").out
    assert machine("insights", "nonsense").code == 1
    assert "timeline" in machine("insights", "-f", "json").json()


def test_accounts_are_listed(machine, portal):
    portal.people[0].update(can_start=False, code="no_license", detail="You have no license.")
    shown = machine("accounts")
    assert shown.out.splitlines()[0].split() == ["ACCOUNT", "NAME", "ROLE", "CAN", "START", "LEFT"]
    assert "acme: You have no license. (no_license)" in shown.err
    assert machine("accounts", "--format", "json").json()["accounts"][0]["slug"] == "acme"


def test_settings_lie_at_the_portal(machine, portal):
    assert "idle-timeout: 10 m" in machine("config", "idle-timeout", "10m").out
    assert portal.preferences["idle_timeout_seconds"] == 600
    assert machine("config", "account", "acme").code == 0
    assert machine("config", "-f", "json").json()["account"] == "acme"
    assert "account: not set" in machine("config", "account", "--unset").out
    assert portal.preferences["default_organization"] is None


def test_a_timeout_outside_the_policy_is_said_to_be(machine):
    noted = machine("config", "idle-timeout", "1h")
    assert "The policy of Acme allows 10 s to 10 m" in noted.err


def test_the_portals_refusal_of_a_setting_is_shown(machine, portal):
    refused = problem(404, "not_found", "It does not exist, or it is not yours to see.")
    portal.scripted["PATCH", "/api/v1/me/preferences"] = [refused]
    failed = machine("config", "account", "x")
    assert (failed.code, "(not_found)" in failed.err) == (1, True)


@pytest.mark.parametrize("words", [["frob"], ["portal", "ftp://x"], ["cacert", "/none"]])
def test_settings_that_can_not_be_are_refused(machine, words):
    assert machine("config", *words).code == 1


def test_diagnose_says_what_is_wrong_and_keeps_secrets(machine, portal):
    machine("start")
    looked = machine("diagnose", DOCKER_HOST="tcp://x:1")
    assert looked.code == 1  # the fake engine has no door
    assert "DOCKER_HOST is set" in looked.out
    assert "Engine's door" in looked.out
    assert "ahead of the portal's" in looked.out or "behind the portal's" in looked.out
    for secret in ("access-1", "refresh-1", "BBBB"):
        assert secret not in looked.out + looked.err


def test_diagnose_without_a_sign_in_still_says_the_rest(bare):
    looked = bare("diagnose", "-f", "json")
    checks = {check["name"]: check["result"] for check in looked.json()["checks"]}
    assert looked.code == 1
    assert (checks["Portal"], checks["Sign-in"]) == ("ok", "failed")


def test_an_allowance_of_each_kind_has_its_words(machine, portal):
    def head(**changes):
        portal.people[0]["allowance"] = allowance(**changes)
        return machine("status").out

    nothing = {"total_compute_seconds": 0, "used_compute_seconds": 0}
    assert "0 h left of 60 h: new sessions are refused" in head(left_compute_seconds=0)
    assert "used, no limit" in head(left_compute_seconds=None, on_demand_mode="unlimited")
    assert "1 h beyond the limit" in head(over_limit_compute_seconds=3_600)
    empty = head(committed=nothing, on_demand_mode="off", left_compute_seconds=0)
    assert "No compute time" in empty
