"""What the monitor can be told from outside."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from headrace.channels import Means
from headrace.chassis import ServiceSettings
from headrace.objects import ObjectSettings


class MonitorSettings(ServiceSettings):
    """The monitor's own settings beside every service's."""

    monitor_look_every: timedelta = timedelta(milliseconds=500)  # how late the end of a window may be noticed
    monitor_keep: timedelta = timedelta(days=35)  # predictions and truths, in event time after their window's end
    monitor_threads: int = 2  # for drift; numpy works outside the interpreter's lock
    monitor_ahead: timedelta = timedelta(minutes=5)  # of an answer's event time before its arrival: clocks differ
    monitor_webhook_key_file: Path | None = None  # signs what is sent to webhooks; unset: nothing is signed
    monitor_private_hosts: frozenset[str] = frozenset()  # that alerts may be sent to although they are not public
    monitor_delivery_retry: timedelta = timedelta(seconds=30)  # after the first failure; twice as long after each more
    monitor_delivery_timeout: timedelta = timedelta(seconds=10)  # of one try to tell somebody of an alert
    objects: ObjectSettings = Field(default_factory=ObjectSettings)

    def means(self) -> Means:
        """What alerts are sent with; raises OSError where the key cannot be read."""
        file = self.monitor_webhook_key_file
        key = file.read_bytes().strip() if file is not None else None
        return Means(key, self.monitor_private_hosts, self.monitor_delivery_timeout.total_seconds())
