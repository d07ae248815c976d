"""What a model directory says of its processes: the command, its environment, and what it may use."""

from pathlib import Path, PurePosixPath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headrace.runtimes.directory import read_description
from headrace.runtimes.errors import BadModel


class PythonEntry(BaseModel):
    """A Python function `predict(columns) -> outputs` in a module of the directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    module: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    function: str = Field(default="predict", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    path: str = "."  # where modules are looked for, relative to the directory


class Options(BaseModel):
    """The mapping `process` of the flavor `headrace`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: tuple[str, ...] = ()
    """A program of the directory, or a name on PATH, and its arguments."""
    python: PythonEntry | None = None
    environment: str | None = None
    """A file of the directory with pinned requirements; the packages that the command's Python has."""
    memory_mb: int = Field(default=2048, ge=16)  # of data, each process
    timeout_ms: int = Field(default=10_000, ge=1, le=600_000)  # of one batch; and as long to wait for a free process
    start_timeout_s: float = Field(default=60.0, gt=0, le=600)  # from the start to hello: imports of large libraries
    workers: int = Field(default=1, ge=1, le=64)  # processes, each answering one batch at a time
    merge: bool = True  # whether rows of several callers may be asked together; not where rows tell of each other
    network: bool = False

    @model_validator(mode="after")
    def _one_entry(self) -> Self:
        if bool(self.command) == (self.python is not None):
            raise ValueError("say either `command` or `python`")
        for text in (*self.command, self.environment or ".", self.python.path if self.python else "."):
            _check_inside(text)
        return self


def options_of(folder: Path) -> Options:
    """What a directory says of its processes; raises BadModel."""
    told = read_description(folder).options
    try:
        options = Options.model_validate(told)
    except ValidationError as error:
        raise BadModel(f"{folder.name}: the processes are not described rightly: {_listed(error)}") from None
    if missing := [each for each in _files(options) if not (folder / each).exists()]:
        raise BadModel(f"{folder.name} has no {', '.join(missing)}, which its description names")
    return options


def _files(options: Options) -> list[str]:
    """What must be there; the command may also be a name on PATH."""
    program = [each for each in options.command[:1] if "/" in each]
    path = [options.python.path] if options.python else []
    return [*program, *path, *([options.environment] if options.environment else [])]


def _check_inside(text: str) -> None:
    """Arguments are the directory's own: an absolute path, or one that leads upwards, is another machine's file."""
    for part in (text, text.partition("=")[2]):
        path = PurePosixPath(part)
        if path.is_absolute() or ".." in path.parts or "\0" in part:
            raise ValueError(f"{text!r} leads out of the model directory")


def _listed(error: ValidationError) -> str:
    return "; ".join(_told(each) for each in error.errors())


def _told(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place + ': ' if place else ''}{error['msg'].removeprefix('Value error, ')}"
