"""What each service needs to start, be seen and stop."""

from headrace.chassis.auth import Caller
from headrace.chassis.errors import Conflict, Forbidden, NotFound, Unauthorised, Unavailable
from headrace.chassis.every import Every, chore, every
from headrace.chassis.run import run
from headrace.chassis.service import Dependency, Runtime, Service
from headrace.chassis.settings import ServiceSettings
