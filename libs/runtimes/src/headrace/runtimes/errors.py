"""What can be wrong with an artifact, each error in words that say what would be right."""


class BadModel(Exception):
    """A folder is no model directory of ours, is damaged, or needs a runtime that is not there."""


class PickleFound(BadModel):
    """Bytes that look like pickle: loading them would run whatever code they carry."""
