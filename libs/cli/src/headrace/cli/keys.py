"""Commands about API keys: make, list, rotate, revoke."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.session import Json, answer, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.addresses import FOLDER, find_stack
from headrace.client.errors import HeadraceError, NoStack

if TYPE_CHECKING:
    from headrace.cli.keyring import Keyring

File = Annotated[
    Path | None,
    typer.Option("--file", envvar="HEADRACE_API_KEYS_FILE", help="The keys file; default: the running stack's."),
]
Which = Annotated[str, typer.Argument(help="Id of a key, or a name that only one key has.")]

keys = typer.Typer(no_args_is_help=True, help="API keys: who may ask, and for what.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(keys, name="keys")


@keys.command()
def make(
    name: Annotated[str, typer.Argument(help="Whose key it is; it travels in every event that follows.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="A role, several times for several.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A single scope, such as predict.")] = None,
    lasts: Annotated[str | None, typer.Option("--lasts", help="How long, such as P90D; default: for ever.")] = None,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once, and kept nowhere: only a keyed hash of it is."""
    made = _keyring(file).make(name, role or [], scope or [], lasts)
    answer(made, as_json, lambda: _tell(made))


@keys.command("list")
def list_(ctx: typer.Context, file: File = None, as_json: Json = False) -> None:
    """List every key: whose, what it may, until when, and when it was last used."""
    found = _listed(ctx, file)
    columns = ["id", "name", "may", "expires", "last_used"]
    rows = [{**key, "may": key.get("roles") or key["scopes"], **_moments(key)} for key in found]
    answer(found, as_json, lambda: table(rows, columns, empty="there are no keys; `headrace keys make` makes one"))


@keys.command()
def rotate(
    which: Which,
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old key still works.")] = "PT0S",
    file: File = None,
    as_json: Json = False,
) -> None:
    """Replace a key by a new one with the same name and rights."""
    made = _keyring(file).rotate(which, overlap)
    answer(made, as_json, lambda: _tell(made))


@keys.command()
def revoke(which: Which, file: File = None, as_json: Json = False) -> None:
    """Take a key away, at once."""
    done = _keyring(file).revoke(which)
    answer(done, as_json, lambda: say(f"{done['id']} of {done['name']} is revoked"))


def _listed(ctx: typer.Context, file: Path | None) -> list[dict[str, Any]]:
    """The file's keys with what running services add; without a file, what the registry tells."""
    from headrace.cli.keyring import remote, with_last_use

    kept = _file(file)
    listed = _keyring(file).listed() if kept else None
    try:
        with session(ctx).client() as client:
            found, away = with_last_use(remote(client) if listed is None else listed, client)
    except NoStack:
        if listed is None:
            raise
        return listed
    if away:
        progress_console.print(f"not asked for the last use, because they do not tell: {', '.join(away)}")
    return found


def _keyring(file: Path | None) -> "Keyring":
    """The keys file that is meant; imported late, because services' own code takes a second to load."""
    from headrace.cli.keyring import Keyring

    found = _file(file)
    if found is None:
        raise HeadraceError(
            "no keys file found here: name it with --file or HEADRACE_API_KEYS_FILE; with compose it lies in a volume, "
            "and `docker compose run --rm --no-deps -T secrets key NAME ROLE` makes keys"
        )
    own = found.with_name("admin.key")
    return Keyring(found, own if own.is_file() else None)


def _file(file: Path | None) -> Path | None:
    """The named file, the running stack's where it lies on this machine, or that of the stack which was here."""
    if file is not None:
        return file
    try:
        return find_stack().keys_file
    except NoStack:
        places = (folder / FOLDER / "keys" / "keys.json" for folder in (Path.cwd(), *Path.cwd().parents))
        return next((each for each in places if each.is_file()), None)


def _tell(made: dict[str, Any]) -> None:
    until = f"until {made['expires'][:16]} UTC" if made["expires"] else "for ever"
    say(f"{made['key']}")
    progress_console.print(
        f"the key of {made['name']}, {until}; it is shown only now. Use it as HEADRACE_KEY, or send it as "
        "`Authorization: Bearer ...`",
        highlight=False,
        soft_wrap=True,
    )


def _moments(key: dict[str, Any]) -> dict[str, str]:
    """Until when, and when last, to the minute."""
    used = _minute(key["last_used"]) or "never" if "last_used" in key else "unknown: no stack runs"
    return {"expires": _minute(key["expires"]) or "never", "last_used": used}


def _minute(moment: str | None) -> str:
    return (moment or "")[:16].replace("T", " ")
