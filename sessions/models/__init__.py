from sessions.models.activity import BuildRun, ContainerRun, Pulse, Sample, Stretch
from sessions.models.engine import Engine, EngineKeys, StartTicket
from sessions.models.keeping import Keeping
from sessions.models.metering import MeterFailure
from sessions.models.reports import ScheduledReport
from sessions.models.session import Session, SessionTeam

__all__ = [
    "BuildRun",
    "ContainerRun",
    "Engine",
    "EngineKeys",
    "Keeping",
    "MeterFailure",
    "Pulse",
    "Sample",
    "ScheduledReport",
    "Session",
    "SessionTeam",
    "StartTicket",
    "Stretch",
]
