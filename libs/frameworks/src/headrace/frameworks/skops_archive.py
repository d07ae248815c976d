"""skops archives that are the same for the same object.

skops names objects, and the files of their arrays, by addresses in memory (files of bytes by chance), and a zip archive
keeps times: the same fit gives other bytes every time. Here both are numbered in the order in which they come.
"""

import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZipFile, ZipInfo

_SCHEMA = "schema.json"
_NODE, _ID, _FILE = "__loader__", "__id__", "file"  # a dictionary of the user has its own keys one level below


def stable(data: bytes) -> bytes:
    """The archive with numbers in the place of addresses, and without times; it loads as the given one does."""
    made = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as given, ZipFile(made, "w") as archive:
        schema = json.loads(given.read(_SCHEMA))
        ids: dict[int, int] = {}
        files: dict[str, str] = {}
        for node in _nodes(schema):
            if _ID in node:
                node[_ID] = ids.setdefault(node[_ID], len(ids))
            if _FILE in node:
                node[_FILE] = files.setdefault(node[_FILE], f"{len(files)}{PurePosixPath(node[_FILE]).suffix}")
        for old, new in files.items():
            archive.writestr(ZipInfo(new), given.read(old))
        archive.writestr(ZipInfo(_SCHEMA), json.dumps(schema))
    return made.getvalue()


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every node of a schema, from the outside in."""
    if isinstance(value, dict):
        if _NODE in value:
            yield value
        for each in value.values():
            yield from _nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from _nodes(each)
