"""Changes to sessions: start, activity, prompts, ends, metering."""

from sessions.services.activity import (
    ActivityReport,
    answer_prompt,
    keep_alive,
    report,
)
from sessions.services.caps import preview_cap, set_cap
from sessions.services.ending import stop, stop_all
from sessions.services.engines import engine_failed, engine_lost, engine_ready
from sessions.services.erasing import delete_organization, erase_person
from sessions.services.keeping import BuildSeen, ContainerSeen, SampleSeen
from sessions.services.keys import GivenKeys, forget_keys, give_keys, make_keys, note_key_used
from sessions.services.metering import (
    change_allowance,
    meet_bounds,
    meter_and_warn,
    meter_organization,
    sweep,
)
from sessions.services.reporting import record as record_report
from sessions.services.starting import StartPreview, preview_start, start
from sessions.services.warning import warn_of_forecasts

__all__ = [
    "ActivityReport",
    "BuildSeen",
    "ContainerSeen",
    "GivenKeys",
    "SampleSeen",
    "StartPreview",
    "answer_prompt",
    "change_allowance",
    "delete_organization",
    "engine_failed",
    "engine_lost",
    "engine_ready",
    "erase_person",
    "forget_keys",
    "give_keys",
    "keep_alive",
    "make_keys",
    "meet_bounds",
    "meter_and_warn",
    "meter_organization",
    "note_key_used",
    "preview_cap",
    "preview_start",
    "record_report",
    "report",
    "set_cap",
    "start",
    "stop",
    "stop_all",
    "sweep",
    "warn_of_forecasts",
]
