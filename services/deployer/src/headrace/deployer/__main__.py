"""`python -m headrace.deployer`."""

from headrace.chassis import run
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings

if __name__ == "__main__":
    run(build(DeployerSettings()))
