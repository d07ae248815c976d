"""`python -m headrace.audit`."""

from headrace.audit.service import build
from headrace.audit.settings import AuditSettings
from headrace.chassis import run

if __name__ == "__main__":
    run(build(AuditSettings()))
