"""What can be set of the deployer."""

from headrace.chassis import ServiceSettings


class DeployerSettings(ServiceSettings):
    """Only what every service has: how a rollout goes is in each model's declaration."""
