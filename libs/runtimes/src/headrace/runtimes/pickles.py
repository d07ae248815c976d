"""Recognise pickle, in the open or wrapped, without ever loading it.

Unpickling runs code that the bytes name. No format that we allow needs it, so any trace of it is refused:
plain pickles of every protocol, joblib and gzip around them, zip archives (skops, torch) that hold them, and
numpy files of objects.
"""

import io
import pickletools
import zipfile
import zlib
from pathlib import Path

from headrace.runtimes.errors import PickleFound

_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".pt", ".pth", ".dill", ".cloudpickle"})
_CALLING = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX"})
_PROTOCOL = 0x80
_HIGHEST_PROTOCOL = 5
_PEEK = 1 << 20  # bytes unpacked from a compressed stream: enough for any pickle header, too few to fill memory


def refuse_pickle(folder: Path) -> None:
    """Raise PickleFound where any file below `folder` is, or wraps, a pickle."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        place = path.relative_to(folder).as_posix()
        if path.suffix.lower() in _SUFFIXES:
            raise PickleFound(f"{place}: files named {path.suffix} are pickles; save ONNX, skops or text instead")
        if why := pickled(path.read_bytes()):
            raise PickleFound(f"{place}: {why}; save ONNX, skops or text instead")


def pickled(data: bytes) -> str | None:
    """Why these bytes count as pickle, or None where they do not."""
    if data.startswith(b"PK\x03\x04"):
        return _pickled_member(data)
    if data.startswith(b"\x93NUMPY"):
        return "a numpy file of objects is a pickle" if b"'|O'" in data[:256] else None
    if data.startswith((b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")):
        return _pickled_stream(data)
    return "its bytes are a pickle" if _is_pickle(data) else None


def _pickled_member(data: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                why = "its name is a pickle's" if Path(name).suffix in _SUFFIXES else pickled(archive.read(name))
                if why:
                    return f"member {name}: {why}"
    except zipfile.BadZipFile:
        return "a damaged zip archive, which cannot be checked"
    return None


def _pickled_stream(data: bytes) -> str | None:
    try:
        head = zlib.decompressobj(wbits=47).decompress(data, _PEEK)  # 47: gzip or zlib, told by the header
    except zlib.error:
        return None
    return "compressed pickle" if _is_pickle(head) or _binary_header(head) else None


def _binary_header(data: bytes) -> bool:
    return len(data) > 1 and data[0] == _PROTOCOL and data[1] <= _HIGHEST_PROTOCOL


def _is_pickle(data: bytes) -> bool:
    """Whether a pickle machine would run these bytes: read as opcodes, never executed."""
    called = _binary_header(data)
    try:
        for opcode, _, _ in pickletools.genops(data):
            called = called or opcode.name in _CALLING
    except Exception:
        # A header with a body that does not parse is a torn or hostile pickle: refused all the same.
        return _binary_header(data)
    return called
