"""What can be wrong with an artifact, each error in words that say what would be right."""


class BadModel(Exception):
    """A folder is no model directory of ours, is damaged, or needs a runtime that is not there."""


class PickleFound(BadModel):
    """Bytes that look like pickle: loading them would run whatever code they carry."""


class BadAnswer(BadModel):
    """What a model gave is no answer: it failed on the rows, or gave what its signature does not promise."""


class Unavailable(Exception):
    """A model cannot answer now, through no fault of the rows: its process ended, hangs, or is being started anew."""
