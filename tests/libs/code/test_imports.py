"""Importing a library without what it imports on its way."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.code.imports import without


@pytest.fixture
def heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library that imports another one where that is there."""
    (tmp_path / "made_up_heavy.py").write_text("WEIGHT = 600\n")
    (tmp_path / "made_up_light.py").write_text(
        "try:\n    import made_up_heavy\n    HEAVY = True\nexcept ImportError:\n    HEAVY = False\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("made_up_heavy", "made_up_light"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("heavy")
def test_it_is_not_to_be_had_meanwhile_and_is_afterwards() -> None:
    """Whoever wants it for itself gets it."""
    with without("made_up_heavy"):
        import made_up_light  # type: ignore[import-not-found]
    assert not made_up_light.HEAVY
    assert "made_up_heavy" not in sys.modules

    import made_up_heavy  # type: ignore[import-not-found]

    assert made_up_heavy.WEIGHT == 600


@pytest.mark.usefixtures("heavy")
def test_what_is_imported_already_stays() -> None:
    """It costs nothing more."""
    import made_up_heavy

    with without("made_up_heavy"):
        import made_up_light
    assert made_up_light.HEAVY
    assert sys.modules["made_up_heavy"] is made_up_heavy


@pytest.mark.usefixtures("heavy")
def test_an_error_meanwhile_hides_nothing_for_ever() -> None:
    """Nor what was never there."""
    with pytest.raises(ZeroDivisionError), without("made_up_heavy", "made_up_nothing"):
        raise ZeroDivisionError
    import made_up_heavy

    assert made_up_heavy.WEIGHT == 600
    assert "made_up_nothing" not in sys.modules


def test_scikit_learn_and_skops_bring_no_torch() -> None:
    """In a fresh process, where torch is installed and where it is not."""
    code = "import sys; import headrace.frameworks.sklearn; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said == "False\n"
