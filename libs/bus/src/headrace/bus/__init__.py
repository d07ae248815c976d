"""Delivery: connection, pull loop, outbox, inbox, retries, dead letters, followers."""

from headrace.bus.batches import BatchHandler, BatchProcessor, LastResort
from headrace.bus.connection import Connection, PubAck, connect
from headrace.bus.consumer import Consumer
from headrace.bus.errors import BrokerAway, NotYet, PublishRefused, Refused
from headrace.bus.follow import Follower
from headrace.bus.messages import RawMessage
from headrace.bus.processor import Handler, MessageProcessor
from headrace.bus.provision import drift, provision, provision_patiently
from headrace.bus.publisher import Publisher
from headrace.bus.relay import Relay
from headrace.bus.retry import RetryPolicy
from headrace.bus.settings import BusSettings
from headrace.bus.store import Clock, Store, utc_now
from headrace.bus.tables import DeadLetter, Inbox, Outbox
from headrace.bus.unit_of_work import UnitOfWork
