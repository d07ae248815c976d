"""What can be wrong with a package of code, in words that say what would be right."""


class BadPackage(ValueError):
    """A folder or an archive that is no package; the message names the file and what to do."""
