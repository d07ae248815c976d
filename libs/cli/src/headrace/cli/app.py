"""The command line put together: global options, the commands, and what each ending means for CI."""

import json
import os
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from headrace.cli import (
    aliases,
    changes,
    code,
    data,
    datasets,
    dead_letters,
    experiments,
    imports,
    init,
    keys,
    live,
    models,
    outsiders,
    predict,
    proof,
    reproduce,
    rollouts,
    runs,
    stack,
    watching,
)
from headrace.cli.examples import attach
from headrace.cli.session import Session, fail
from headrace.client.errors import HeadraceError, TimedOut

DONE, REFUSED, USAGE, LATE = 0, 1, 2, 3
# typer brings its own click, so its base of all usage errors is found through what it exports
UsageProblem: type[Exception] = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")

app = typer.Typer(
    name="headrace",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The whole life of a model, declared, automatic and provable.\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 timed out.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"headrace {version('headrace-cli')}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="HEADRACE_URL", help="Host of the stack to talk to.")] = None,
    key: Annotated[str | None, typer.Option(envvar="HEADRACE_KEY", help="API key to present.")] = None,
    _shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Say which stack is meant; without options it is the one running from this folder."""
    ctx.obj = Session(url, key)


GROUPS = (
    aliases,
    changes,
    code,
    runs,
    experiments,
    reproduce,
    rollouts,
    datasets,
    watching,
    dead_letters,
    keys,
    outsiders,
)
for module in (init, stack, models, imports, data, predict, live, proof, *GROUPS):
    module.register(app)
attach(app)
for plugin in entry_points(group="headrace.commands"):  # what other packages bring, such as the demo
    plugin.load()(app)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    as_json = "--json" in arguments
    try:
        code = app(arguments, standalone_mode=False)
    except typer.Exit as ending:
        return ending.exit_code
    except typer.Abort:
        return REFUSED
    except UsageProblem as error:
        return _misused(error, as_json)
    except TimedOut as error:
        return fail(error, LATE, as_json)
    except HeadraceError as error:
        return fail(error, REFUSED, as_json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code if isinstance(code, int) else DONE


def _misused(error: Exception, as_json: bool) -> int:
    """Wrong usage, in the form that was asked for."""
    if as_json:
        told = getattr(error, "format_message", lambda: str(error))()
        print(json.dumps({"error": told, "kind": "UsageError"}, indent=2))
    else:
        getattr(error, "show", lambda: None)()
    return USAGE
