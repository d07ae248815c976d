"""Whether a run has made a version again: what is recorded beside what came of it, part by part. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headrace.contracts import Artifact, CodeRef, Column, Holdout, Reproduction, VersionRegistered
from headrace.runtimes import DESCRIBING
from headrace.trainer.worker.jobs import CodeJob, Spec, Trained, TrainJob

EXPERIMENT = "reproductions"  # that all of these runs belong to: they make no version
TOLERANCE = 0.01  # of a metric: below what a few hundred held-out rows can tell apart
_ROUNDING = 1e-9  # sums over the same rows, added up by another number of threads
_RESULTS = ("artifact", "metrics")
_MISSING = "not there"


class Wanted(Spec):
    """What a run is to make again, and what counts as the same."""

    registered: VersionRegistered
    deterministic: bool
    """Whether the framework promises the same files."""
    tolerance: float = TOLERANCE
    """How far a metric may be from the recorded one, as a share of it, where it does not."""


@dataclass(frozen=True)
class Part:
    """One part of a version as it is recorded, and as it is now; of lists of names only those that differ."""

    name: str
    recorded: Any
    now: Any
    same: bool

    @property
    def told(self) -> str:
        """What changed, in words."""
        if not isinstance(self.recorded, Mapping):
            return f"{self.name} was {self.recorded} and is {self.now}"
        changes = [f"{name} was {old} and is {self.now[name]}" for name, old in self.recorded.items()]
        return f"{self.name}: {', '.join(changes)}"


@dataclass(frozen=True)
class Verdict:
    """What came of making a version again."""

    wanted: Wanted
    parts: Sequence[Part]

    @property
    def by(self) -> str:
        """What decides: `artifact`, or `metrics` where the framework promises no equal files, and gave none."""
        return "artifact" if self.wanted.deterministic or self._part("artifact").same else "metrics"

    @property
    def reproduced(self) -> bool:
        """Whether the same came of it; metrics are compared on the same held-out rows or not at all."""
        rows = self.by == "artifact" or self._part("rows").same
        return self._part(self.by).same and rows

    @property
    def because(self) -> str | None:
        """The likely reason, where it is not reproduced: whatever else differs."""
        if self.reproduced:
            return None
        causes = [each.told for each in self.parts if not each.same and each.name not in _RESULTS]
        return "; ".join(causes) or f"nothing that is recorded differs; {self._by_chance}"

    @property
    def fact(self) -> Reproduction:
        """As an event tells it."""
        version = self.wanted.registered
        assert version.lineage.run is not None
        return Reproduction(
            version=version.version,
            run=version.lineage.run,
            reproduced=self.reproduced,
            differs=[each.name for each in self.parts if not each.same],
            because=self.because,
        )

    @property
    def _by_chance(self) -> str:
        if self.wanted.deterministic:
            return "another kind of processor, or another number of threads, may give other files"
        return f"the same fit gives metrics that are more than {self.wanted.tolerance:g} of the recorded ones apart"

    def _part(self, name: str) -> Part:
        return next(each for each in self.parts if each.name == name)


def judged(wanted: Wanted, job: TrainJob, trained: Trained) -> Verdict:
    """A version beside the run that was to make it again."""
    return Verdict(wanted, list(_parts(wanted, job, trained)))


def _parts(wanted: Wanted, job: TrainJob, trained: Trained) -> Iterator[Part]:
    version, lineage = wanted.registered, wanted.registered.lineage
    yield _part("data", (lineage.dataset or version.dataset).digest, job.data.digest)
    asked = {name: getattr(lineage, name) for name in ("framework", "estimator", "params", "seed")}
    yield _named("parameters", asked | _columns(version), {name: getattr(job, name) for name in asked} | _columns(job))
    sizes = {name: getattr(lineage, name) for name in ("train_rows", "unlabelled_rows")}
    learned = lineage.learned.object.sha256 if lineage.learned else None
    yield _named(
        "rows",
        {**sizes, "learned": learned, **_held_out(version.holdout)},
        {
            **{name: getattr(trained, name) for name in sizes},
            "learned": trained.learned.object.sha256,
            **_held_out(trained.holdout),
        },
    )
    if lineage.code or job.code:
        yield _named("own-code", _package(lineage.code), _package(job.code))
    yield _part("code", lineage.code_version, trained.code_version)
    yield _part("python", lineage.python, trained.python)
    yield _named("packages", lineage.packages or {}, trained.packages)
    yield _artifact(_files(version.artifact), _files(trained.artifact))
    yield _metrics(wanted, trained.metrics)


def _part(name: str, recorded: Any, now: Any) -> Part:
    """What is not recorded cannot differ."""
    return Part(name, recorded, now, recorded is None or recorded == now)


def _named(name: str, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Part:
    """Many things by name: those that differ; what is recorded of none of them cannot."""
    known = {key: value for key, value in recorded.items() if value is not None}
    news = () if not known else now.keys() - recorded.keys()
    differing = [key for key in (*known, *sorted(news)) if known.get(key, _MISSING) != now.get(key, _MISSING)]
    then = {key: known.get(key, _MISSING) for key in differing}
    return Part(name, then, {key: now.get(key, _MISSING) for key in differing}, not differing)


def _artifact(recorded: Mapping[str, str], now: Mapping[str, str]) -> Part:
    """File by file; no files are no proof."""
    found = _named("artifact", recorded, now)
    return replace(found, same=found.same and bool(recorded))


def _metrics(wanted: Wanted, now: Mapping[str, float]) -> Part:
    """All of them, since people look at these first."""
    recorded = wanted.registered.metrics
    near = _ROUNDING if wanted.deterministic else max(wanted.tolerance, _ROUNDING)
    same = recorded.keys() == now.keys() and all(
        math.isclose(recorded[name], now[name], rel_tol=near, abs_tol=_ROUNDING) for name in recorded
    )
    return Part("metrics", dict(recorded), {name: now.get(name, _MISSING) for name in {**recorded, **now}}, same)


def _columns(of: VersionRegistered | TrainJob) -> dict[str, Any]:
    features: Sequence[Column] = of.features
    return {"features": {each.name: each.type for each in features}, "target": of.target}


def _held_out(holdout: Holdout) -> dict[str, Any]:
    return {f"held out: {name}": value for name, value in holdout.model_dump(exclude_none=True).items()}


def _package(code: CodeRef | CodeJob | None) -> dict[str, Any]:
    told = ("package", "version", "entry", "command", "environment")
    return {**{name: getattr(code, name) for name in told}, "digest": code.object.sha256} if code else {}


def _files(artifact: Artifact | None) -> dict[str, str]:
    """The digest of each file, but of those that tell of the run and of packages, which are compared by themselves."""
    return {file.path: file.sha256 for file in (artifact.files if artifact else ()) if file.path not in DESCRIBING}
