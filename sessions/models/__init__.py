from sessions.models.activity import ContainerRun, Pulse, Sample, Stretch
from sessions.models.session import Session

__all__ = ["ContainerRun", "Pulse", "Sample", "Session", "Stretch"]
