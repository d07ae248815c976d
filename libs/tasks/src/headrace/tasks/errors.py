"""What can be wrong with a target, each error in words that say what would be right."""


class BadTarget(ValueError):
    """The target of the rows to learn from is none that the task can learn."""


class BadTruth(ValueError):
    """Not a truth that the model can have; the text says what would be one."""


class UnknownTask(ValueError):
    """A model names a task that is not installed here."""
