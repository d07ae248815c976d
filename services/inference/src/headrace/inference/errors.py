"""Why a request is not answered. Each says what would help; `app.py` alone turns them into HTTP."""


class Unknown(LookupError):
    """There is no such model, version or path."""


class WrongMethod(Exception):
    """The path is there, but not for this method."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"this path does not take {method}; it takes {', '.join(allowed)}")
        self.allowed = allowed


class NotLoaded(Exception):
    """The model exists, but this replica cannot answer with it yet."""


class Busy(Exception):
    """More requests wait for a model than it can answer soon."""


class Failed(Exception):
    """The model itself failed on rows that it should have taken."""


class Unloggable(Exception):
    """The prediction could not be recorded, and the policy is that none goes unrecorded."""


class Refusal(Exception):
    """A version can never be loaded: its bytes are not what was approved, or no model of ours."""


class Gone(Exception):
    """The client went away before its request was whole: there is nothing to answer, and nobody to hear it."""
