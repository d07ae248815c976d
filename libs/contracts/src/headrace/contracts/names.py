"""Names that are more than strings: parsed once at the edge, promises inside."""

import re
from typing import NewType

ModelName = NewType("ModelName", str)
DatasetName = NewType("DatasetName", str)
RunId = NewType("RunId", str)
Digest = NewType("Digest", str)
Alias = NewType("Alias", str)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def is_name(text: str) -> bool:
    """Whether `text` can name a model or a dataset: it is a token of subjects and a part of URLs."""
    return NAME.fullmatch(text) is not None
