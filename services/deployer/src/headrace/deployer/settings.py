"""What the control loop can be told from outside."""

from headrace.chassis import ServiceSettings


class DeployerSettings(ServiceSettings):
    """Only what every service has: how a rollout goes is in each model's declaration."""
