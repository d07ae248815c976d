"""Delivery: connection, pull loop, outbox, inbox, verdicts, parking, topology."""

from headrace.bus.connection import Connection, PubAck, connect
from headrace.bus.errors import BrokerAway, NotYet, PublishRefused, Refused
from headrace.bus.follow import Follower
from headrace.bus.inlet import Handler, Inlet
from headrace.bus.intake import Intake
from headrace.bus.messages import RawMessage
from headrace.bus.policy import Patience
from headrace.bus.provision import drift, provision, provision_patiently
from headrace.bus.publisher import Publisher
from headrace.bus.relay import Relay
from headrace.bus.settings import BusSettings
from headrace.bus.store import Clock, Store, utc_now
from headrace.bus.tables import Inbox, Outbox, Parked
from headrace.bus.tap import LastResort, Tap, TapInlet
from headrace.bus.work import Work
