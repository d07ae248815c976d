"""Pickle is found wherever it hides, and nothing else is taken for it."""

import gzip
import io
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from headrace.runtimes import PickleFound, refuse_pickle
from headrace.runtimes.pickles import pickled


def zipped(name: str, data: bytes) -> bytes:
    """An archive of one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def saved(array: np.ndarray) -> bytes:
    """A numpy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


EVIL = {f"protocol {n}": pickle.dumps(Path("x"), protocol=n) for n in range(6)} | {
    "gzip": gzip.compress(pickle.dumps([1])),
    "zlib, as joblib writes": zlib.compress(pickle.dumps([1])),
    "a member": zipped("data.json", pickle.dumps([1])),
    "a member's name": zipped("data.pkl", b"whatever"),
    "an archive in an archive": zipped("inner.zip", zipped("data.json", pickle.dumps([1]))),
    "objects in numpy": saved(np.array([{}], dtype=object)),
    "a torn pickle": pickle.dumps(list(range(1000)))[:50],
    "a damaged archive": zipped("a", b"b")[:20],
}
GOOD = {
    "json": b'{"a": [1, 2]}',
    "text": b"tree\nversion=v4\nnum_class=1\n",
    "a word and a dot": b"N.",
    "nothing": b"",
    "yaml": b"flavors:\n  onnx: {}\n",
    "an archive of text": zipped("schema.json", b"{}"),
    "numbers in numpy": saved(np.arange(3.0)),
    "gzip of text": gzip.compress(b"hello"),
    "random": bytes(range(256)),
}


@pytest.mark.parametrize("case", EVIL)
def test_pickle_is_found(case: str) -> None:
    """Whatever wraps it."""
    assert pickled(EVIL[case])


@pytest.mark.parametrize("case", GOOD)
def test_what_is_no_pickle_passes(case: str) -> None:
    """Formats that we write are never refused."""
    assert pickled(GOOD[case]) is None


def test_the_error_names_the_file(tmp_path: Path) -> None:
    """Deep in a folder, by bytes or by name."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights.bin").write_bytes(pickle.dumps([1]))
    with pytest.raises(PickleFound, match=r"deep/weights\.bin"):
        refuse_pickle(tmp_path)

    (tmp_path / "deep" / "weights.bin").rename(tmp_path / "model.joblib")
    (tmp_path / "model.joblib").write_bytes(b"{}")
    with pytest.raises(PickleFound, match=r"model\.joblib.*ONNX"):
        refuse_pickle(tmp_path)
