"""The Python models that are made of the schemas: what the generator writes, and what we make of it."""

import ast

import pytest

from headrace.contracts.generate.models import _without_scalar_roots

HEAD = "from pydantic import Field, RootModel\n\n\n"
ROOT = 'class Name(RootModel[str]):\n    root: Annotated[str, Field(pattern="^[a-z]+$")]\n'
TOLD = '    """\n    one of them\n    """\n'
USE = "class Many(Model):\n    names: list[Name] | None = None\n"
INLINE = 'class Many(Model):\n    names: list[Annotated[str, Field(pattern="^[a-z]+$")]] | None = None\n'


@pytest.mark.parametrize(
    "written",
    [
        ROOT,
        ROOT + TOLD,
        f"class Name(RootModel[str]):\n{TOLD}\n{ROOT.splitlines(keepends=True)[1]}",
        f"class Name(RootModel[str]):\n{TOLD}\n{ROOT.splitlines(keepends=True)[1]}{TOLD}",
    ],
    ids=["plain", "described", "class described", "both described"],
)
def test_a_constrained_text_in_a_list_is_no_class_of_its_own(written: str) -> None:
    """However the generator describes it, before the class that uses it and after."""
    assert _without_scalar_roots(f"{HEAD}{written}\n\n{USE}") == HEAD + INLINE
    after = _without_scalar_roots(f"{HEAD}{USE}\n\n{written}")
    assert after.rstrip() == (HEAD + INLINE).rstrip()
    ast.parse(after)


def test_two_constrained_texts_keep_their_own_constraints() -> None:
    """Also where one follows the other, and where a pattern has characters that mean something in a replacement."""
    other = 'class Code(RootModel[str]):\n    root: Annotated[str, Field(pattern="^\\\\d+\\\\1$")]\n' + TOLD
    use = "class Many(Model):\n    names: list[Name]\n    codes: list[Code]\n"
    text = _without_scalar_roots(f"{HEAD}{ROOT}{TOLD}\n\n{other}\n\n{use}")
    assert text == HEAD + (
        "class Many(Model):\n"
        '    names: list[Annotated[str, Field(pattern="^[a-z]+$")]]\n'
        '    codes: list[Annotated[str, Field(pattern="^\\\\d+\\\\1$")]]\n'
    )


def test_a_name_within_another_name_is_left() -> None:
    """`Name` is no part of `Names`."""
    use = "class Names(Model):\n    names: list[Name]\n    more: list[Names]\n"
    assert "more: list[Names]" in _without_scalar_roots(f"{HEAD}{ROOT}\n\n{use}")


def test_other_classes_stay_as_they_are() -> None:
    """A class of a mapping has members, and its description."""
    text = f'{HEAD}class Plain(Model):\n{TOLD}\n    name: str\n    """\n    its name\n    """\n'
    assert _without_scalar_roots(text) == text
