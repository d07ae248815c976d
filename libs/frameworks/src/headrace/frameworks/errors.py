"""What can be wrong with a model, each error in words that say what would be right."""


class FrameworkError(Exception):
    """A model cannot be made, saved or loaded, for a reason that its author can understand."""


class BadEstimator(FrameworkError):
    """The estimator or one of its parameters does not exist, or may not be used."""


class CodeFailed(FrameworkError):
    """A user's code made no model; `kind` is one of the kinds of failure that an event may have."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class BadTrainingData(FrameworkError):
    """The rows cannot train this model: a target that is missing, constant or empty, or too few rows."""


class ExportRefused(FrameworkError):
    """The fitted model cannot be saved in an allowed format, or its ONNX graph answers differently."""


class NotInstalled(FrameworkError):
    """The framework's library is not installed here."""
