"""What the monitor can be told from outside."""

from datetime import timedelta

from pydantic import Field

from headrace.chassis import ServiceSettings
from headrace.objects import ObjectSettings


class MonitorSettings(ServiceSettings):
    """The monitor's own settings beside every service's."""

    monitor_look_every: timedelta = timedelta(milliseconds=500)  # how late the end of a window may be noticed
    monitor_keep: timedelta = timedelta(days=35)  # predictions and truths, in event time after their window's end
    monitor_threads: int = 2  # for drift; numpy works outside the interpreter's lock
    monitor_ahead: timedelta = timedelta(minutes=5)  # of an answer's event time before its arrival: clocks differ
    objects: ObjectSettings = Field(default_factory=ObjectSettings)
