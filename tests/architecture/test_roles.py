"""What the README promises of roles is what the code grants."""

from headrace.chassis.scopes import ROLES, SCOPES, allows

from .conftest import ROOT

FIRST, LAST = "<!-- roles: begin -->", "<!-- roles: end -->"


def table() -> str:
    """Every scope, and which roles have it."""
    head = ["| scope | allows to | " + " | ".join(ROLES) + " |", "|---|---|" + "---|" * len(ROLES)]
    return "\n".join([*head, *(_row(scope, about) for scope, about in SCOPES.items() if scope != "admin")])


def _row(scope: str, about: str) -> str:
    marks = ("yes" if allows(frozenset(scopes), scope) else "" for scopes in ROLES.values())
    return f"| `{scope}` | {about} | " + " | ".join(marks) + " |"


def test_the_readme_shows_what_each_role_may() -> None:
    """A changed role changes its row."""
    shown = (ROOT / "README.md").read_text().partition(FIRST)[2].partition(LAST)[0].strip()

    assert shown == table(), f"put this between {FIRST} and {LAST} in README.md:\n{table()}"
