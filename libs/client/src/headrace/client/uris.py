"""Names of model versions, as the field writes them: models:/<name>/<version> and models:/<name>@<alias>."""

import re
from dataclasses import dataclass
from typing import Self

from headrace.client.errors import HeadraceError

PATTERN = re.compile(r"models:/(?P<name>[^/@\n]+)(?:/(?P<version>[0-9]{1,18})|@(?P<alias>[^/@\n]+))")


@dataclass(frozen=True)
class ModelUri:
    """One version of one model, by number or by alias; exactly one of the two is set."""

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI; raises HeadraceError that shows the two forms."""
        match = PATTERN.fullmatch(text)
        if match is None:
            raise HeadraceError(f"{text!r} is not a model URI; write models:/NAME/VERSION or models:/NAME@ALIAS")
        version = match["version"]
        return cls(match["name"], int(version) if version else None, match["alias"])

    def __str__(self) -> str:
        place = f"@{self.alias}" if self.version is None else f"/{self.version}"
        return f"models:/{self.name}{place}"
