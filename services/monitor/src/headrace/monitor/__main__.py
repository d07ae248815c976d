"""`python -m headrace.monitor`."""

from headrace.chassis import run
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings

if __name__ == "__main__":
    run(build(MonitorSettings()))
