"""A run tells which code made it, and the digest proves it."""

from pathlib import Path

from headrace.trainer.worker.provenance import code_version, packages, python, source_digest


def test_any_changed_byte_changes_the_digest(tmp_path: Path) -> None:
    """Names count as much as contents."""
    (tmp_path / "a.py").write_text("x = 1\n")
    before = source_digest([tmp_path])
    (tmp_path / "a.py").write_text("x = 2\n")
    changed = source_digest([tmp_path])
    (tmp_path / "a.py").rename(tmp_path / "b.py")

    assert len({before, changed, source_digest([tmp_path])}) == 3


def test_a_run_names_code_packages_and_python() -> None:
    """What a person needs to make the same model again."""
    assert "+sources." in code_version()
    assert {"scikit-learn", "numpy", "headrace-trainer"} <= packages().keys()
    assert python().startswith("CPython 3.")
