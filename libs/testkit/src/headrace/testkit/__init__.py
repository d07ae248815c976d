"""Real parts for tests: a broker, an object store, databases, a clock, a service on all of them, and events to say."""

from headrace.testkit.broker import Broker
from headrace.testkit.builders import a
from headrace.testkit.clock import FakeClock
from headrace.testkit.patience import eventually
from headrace.testkit.stage import Stage

__all__ = ["Broker", "FakeClock", "Stage", "a", "eventually"]
