"""What the registry can be told from outside."""

from datetime import timedelta

from headrace.chassis import ServiceSettings


class RegistrySettings(ServiceSettings):
    """The registry's own settings beside every service's."""

    registry_expiry_every: timedelta = timedelta(seconds=5)  # how late a lapsed approval may be noticed
