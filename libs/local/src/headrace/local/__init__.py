"""The embedded default: NATS, S3 server, Ray and all services on one machine from wheels alone."""

from headrace.local.layout import PORT_BASE, Layout
from headrace.local.stack import AlreadyRunning, Part, Stack, StackError
