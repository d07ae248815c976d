"""How urgent an alert is: a scale that is fixed as a whole."""

SEVERITIES = ("info", "warning", "critical")  # as they rise


def rank(severity: str) -> int:
    """The place on the scale, from 0; a higher one is more urgent."""
    return SEVERITIES.index(severity)
