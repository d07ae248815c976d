"""What can be wrong with objects; each says what to do."""


class ObjectError(Exception):
    """Base of everything that the store raises."""


class Missing(ObjectError):
    """There is no such object."""


class Corrupt(ObjectError):
    """The bytes are not those that the reference promises."""


class AlreadyExists(ObjectError):
    """The key is taken by other content; keys are written once."""


class Denied(ObjectError):
    """The identity may not do what it asked for."""


class StoreAway(ObjectError):
    """The store does not answer, or answers with an error of its own; try again."""
