"""`python -m headrace.registry`."""

from headrace.chassis import run
from headrace.registry.service import build
from headrace.registry.settings import RegistrySettings

if __name__ == "__main__":
    run(build(RegistrySettings()))
