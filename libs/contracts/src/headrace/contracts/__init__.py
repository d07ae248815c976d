"""The wire: models generated from schemas/, the envelope, encode and decode."""

from headrace.contracts.base import Event, Model
from headrace.contracts.columns import KnownDataset
from headrace.contracts.declaration import Examined
from headrace.contracts.detectors import DetectorInfo, Kind, detector_problem
from headrace.contracts.documents import load_yaml, with_lines
from headrace.contracts.envelope import (
    CONTENT_TYPE,
    Envelope,
    dataschema,
    decode,
    derive_id,
    encode,
    read_event,
    subject_of,
    wrap,
)
from headrace.contracts.errors import ContractError, Problem
from headrace.contracts.event_versions import NewerVersion
from headrace.contracts.generated.models import *  # noqa: F403  every class of the wire, by its own name
from headrace.contracts.generated.models import EVENTS
from headrace.contracts.installed import Installed, KnownColumn, MetricInfo, TaskInfo
from headrace.contracts.names import (
    ANSWER_COLUMN,
    KEY_COLUMN,
    Alias,
    DatasetName,
    Digest,
    ModelName,
    RunId,
    column_name,
    is_name,
)
from headrace.contracts.options import Option, Options
from headrace.contracts.origin import (
    OUTSIDER,
    Origin,
    asker_of,
    attributes_of,
    decode_message,
    is_person,
    origin_of,
)
from headrace.contracts.subjects import stream_of
from headrace.contracts.topology import Topology, load_topology
