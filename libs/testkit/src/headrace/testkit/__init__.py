"""Real parts for tests: a broker, an object store, databases, a clock, a service on all of them, and events to say."""

from headrace.testkit.broker import Broker
from headrace.testkit.builders import a
from headrace.testkit.clock import FakeClock
from headrace.testkit.harness import Harness
from headrace.testkit.waiting import eventually

__all__ = ["Broker", "FakeClock", "Harness", "a", "eventually"]
