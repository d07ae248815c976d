"""A file to validated Parquet and its profile, in one pass over blocks and in flat memory.

Blocks are parsed, checked and measured by a few threads (Arrow releases the interpreter's lock), and
written in order by the caller's. Nothing but the spool folder is touched: what to do with the result
is the caller's decision.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.contracts import ColumnRule
from headrace.contracts.cells import widest
from headrace.ingest.checks import check_batch, check_header
from headrace.ingest.hints import advise, suspicions
from headrace.ingest.profile import Column, RowSample, measure
from headrace.ingest.reading import Reading, Wording, resolved
from headrace.ingest.sources.batch import DROPPED, Batch, Source
from headrace.ingest.sources.blocks import Limits
from headrace.ingest.sources.kinds import INTEGER, NUMBER, STRING, TIMESTAMP
from headrace.ingest.sources.unpack import unpacked
from headrace.ingest.unique import Keys, UniqueCheck, keys, rows_again
from headrace.ingest.violations import COMPLETENESS, UNIQUE, Unacceptable, Violations

INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+")  # how pandas writes a row index
RETRIES = 2  # passes given up at the first value that does not fit; the next one gathers all that do not
LOOKAHEAD = 2  # blocks parsed while a row group is being written
KEPT = 200  # texts remembered that made a column's type wider
MEASURED = (INTEGER, NUMBER, TIMESTAMP)


@dataclass(frozen=True)
class Options:
    """What bounds the work on one file."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 2
    keep: int = 10  # offending rows named a violation
    give_up: int = 10_000  # offending rows after which the rest of the file is not read
    row_group: int = 125_000  # rows; 21 numbers wide that is 21 MB


@dataclass(frozen=True)
class Accepted:
    """The file keeps the contract: it lies in Parquet at `path`."""

    path: Path
    rows: int
    rules: list[ColumnRule]
    profile: dict[str, Column]
    warnings: Violations


@dataclass(frozen=True)
class Rejected:
    """The file breaks the contract; nothing is left of it."""

    rows: int  # read until then
    violations: Violations


class Stopped(Exception):
    """The caller asked to stop."""


@dataclass
class _Checked:
    batch: Batch
    profile: dict[str, Column]
    keys: dict[str, Keys]


def convert(
    path: Path,
    file_format: str | None,
    rules: Sequence[ColumnRule] | None,
    out: Path,
    options: Options,
    stop: threading.Event | None = None,
    wording: Wording | None = None,
) -> Accepted | Rejected:
    """Check the file at `path` against `rules` (None: infer them from it) and write Parquet to `out`.

    `file_format` is what the deliverer states, if anything; `wording` is how the contract says that values are written.
    """
    wording = wording or Wording()
    try:
        plain, form = unpacked(path, file_format, wording, options.limits.file)
        source = form.open(plain, options.limits, options.keep, wording)
        return _Conversion(source, rules, wording, out, options, stop or threading.Event()).run()
    except Unacceptable as unacceptable:
        return Rejected(0, unacceptable.violations)


class _Conversion:
    def __init__(
        self,
        source: Source,
        rules: Sequence[ColumnRule] | None,
        wording: Wording,
        out: Path,
        options: Options,
        stop: threading.Event,
    ) -> None:
        self.source, self.out, self.options, self.stop, self.wording = source, out, options, stop, wording
        self.given = rules
        self.retries_left = RETRIES
        self.odd: dict[str, list[str]] = {}  # texts that made a guessed type wider
        self.rules = list(rules or [])
        self.plan: dict[str, Reading] = {r.name: wording.reading(r.name, str(r.type), r) for r in self.rules}

    def run(self) -> Accepted | Rejected:
        """One pass, or as many as inferred types turn out too narrow."""
        columns = self._without_index(self.source.columns)
        if self.given is not None:
            violations = check_header(columns, self.given, self.options.keep)
            return Rejected(0, violations) if len(violations) else _Pass(self).run()
        self._infer({name: kind for name, kind in self.source.infer().items() if name in columns})
        while True:
            try:
                return _Pass(self).run()
            except _TooNarrow as narrow:
                self.retries_left -= 1
                self._infer({**self.kinds, **narrow.kinds})

    @property
    def kinds(self) -> dict[str, str | None]:
        """The type of each column."""
        return {name: reading.kind for name, reading in self.plan.items()}

    def _without_index(self, columns: Sequence[str]) -> list[str]:
        """The columns without a row index that pandas has written, unless the contract names it."""
        named = {rule.name for rule in self.given or ()}
        kept = [name for name in columns if name in named or not INDEX.fullmatch(name)]
        for name in columns if len(kept) else ():
            if name not in kept:
                message = (
                    "the row index that pandas writes tells of a row's place only; write the file with index=False"
                )
                self.source.warnings.add(DROPPED, f"{message}, or name the column in the contract", column=name, rows=0)
        return kept or list(columns)

    def _infer(self, kinds: dict[str, str | None]) -> None:
        self.plan = {name: self.wording.reading(name, kind) for name, kind in kinds.items()}
        self.rules = [
            ColumnRule.model_validate({"name": name, "type": reading.kind or STRING, "nullable": True})
            for name, reading in self.plan.items()
        ]

    def inferred(self, profile: dict[str, Column]) -> list[ColumnRule]:
        """The rules that the file itself keeps: its types, and where it misses no value, that none may be missing."""
        rules = [rule.model_copy(update={"nullable": profile[rule.name].nulls > 0}) for rule in self.rules]
        return resolved(rules, self.wording)


class _TooNarrow(Exception):
    def __init__(self, kinds: dict[str, str]) -> None:
        super().__init__(", ".join(kinds))
        self.kinds = kinds


class _Pass:
    """One reading of the file from start to end."""

    def __init__(self, work: _Conversion) -> None:
        self.work, self.options = work, work.options
        self.violations = Violations(self.options.keep)
        self.warnings = Violations(self.options.keep)
        self.rows = 0
        self.kinds = work.kinds
        self.narrow: dict[str, str] = {}  # columns whose guessed type is too narrow
        self.profile = {name: Column(kind or STRING) for name, kind in self.kinds.items()}
        self.sampled = [name for name, kind in self.kinds.items() if kind in MEASURED]
        self.sample = RowSample()
        texts = [name for name, kind in self.kinds.items() if kind in (None, STRING)]
        self.writer = _Writer(work.out, texts, self.options.row_group)
        self.unique = {
            rule.name: UniqueCheck(work.out.with_name(f"{work.out.name}.keys{number}"))
            for number, rule in enumerate(work.rules)
            if rule.unique
        }

    def run(self) -> Accepted | Rejected:
        """Accept the whole file, or nothing."""
        try:
            for checked in self._in_order():
                self._take(checked)
                if self.violations.rows > self.options.give_up and not self.narrow:
                    break
            else:
                self._give_way()
                self._check_unique()
        except Unacceptable as unacceptable:
            self.violations.update(unacceptable.violations)
        finally:
            self.writer.close()
        if not self.rows and not len(self.violations):
            self.violations.add(COMPLETENESS, "the file has a header and no rows", line=1)
        if len(self.violations):
            self.work.out.unlink(missing_ok=True)
            advise(self.violations)
            return Rejected(self.rows, self.violations)
        return self._accepted()

    def _accepted(self) -> Accepted:
        for name in self.sampled:
            self.profile[name].grid = self.sample.grid(name)
            self.profile[name].sketch = self.sample.sketch(name)
        rules = list(self.work.given) if self.work.given is not None else self.work.inferred(self.profile)
        warnings = Violations(self.options.keep)
        for found in (self.work.source.warnings, self.warnings):
            warnings.update(found)
        guessed = {name: reading for name, reading in self.work.plan.items() if reading.guessed}
        suspicions(warnings, self.profile, guessed, self.work.source.texts, self.work.odd)
        return Accepted(self.work.out, self.rows, rules, self.profile, warnings)

    def _in_order(self) -> Iterator[_Checked]:
        """Checked batches in the file's order; only a few blocks are in memory at any time."""
        waiting: deque[Future[_Checked]] = deque()
        with ThreadPoolExecutor(self.options.threads, thread_name_prefix="ingest") as pool:
            try:
                for piece in self.work.source.pieces():
                    waiting.append(pool.submit(self._check, piece))
                    if len(waiting) > self.options.threads + LOOKAHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _check(self, piece: Any) -> _Checked:
        if self.work.stop.is_set():
            raise Stopped
        batch = self.work.source.read(piece, self.work.plan)
        profile = {name: measure(kind or STRING, batch.table[name]) for name, kind in self.kinds.items()}
        check_batch(batch, self.work.rules, profile)
        return _Checked(batch, profile, {name: keys(batch.table[name]) for name in self.unique})

    def _take(self, checked: _Checked) -> None:
        batch = checked.batch
        self._widen(batch)
        self.rows += batch.table.num_rows
        self.violations.update(batch.violations)
        self.warnings.update(batch.warnings)
        self.profile = {name: column.merge(checked.profile[name]) for name, column in self.profile.items()}
        for name, check in self.unique.items():
            check.add(checked.keys[name])
        if not len(self.violations):
            self.sample.add(batch.table, self.sampled)
            self.writer.write(batch.table)

    def _widen(self, batch: Batch) -> None:
        """Note which guessed types are too narrow; the first times, begin anew at once."""
        for name, kind in batch.misfits.items():
            self.narrow[name] = widest(self.narrow.get(name), kind) or STRING
            self.work.odd[name] = [*self.work.odd.get(name, []), *batch.odd.get(name, [])][:KEPT]
        if self.work.retries_left > 0:
            self._give_way()

    def _give_way(self) -> None:
        if self.narrow:
            raise _TooNarrow(dict(self.narrow))

    def _check_unique(self) -> None:
        for name, check in self.unique.items():
            again, suspects = check.repeated()
            if again:
                self._name_repeated(name, again, suspects)

    def _name_repeated(self, name: str, again: int, suspects: Keys) -> None:
        """Look at the file once more for the first rows that repeat a value."""
        first: list[tuple[int, Any]] = []
        seen: set[Any] = set()
        for piece in self.work.source.pieces():
            batch = self.work.source.read(piece, {name: self.work.plan[name]})
            first += rows_again(batch, name, suspects, seen)
            if len(first) >= self.options.keep:
                break
        if first:
            self.violations.extend(UNIQUE, "a value that stands in an earlier row", name, again, first)


class _Writer:
    """Parquet with zstd; gathers blocks to row groups worth reading."""

    def __init__(self, path: Path, texts: Sequence[str], row_group: int) -> None:
        self._path, self._row_group, self._texts = path, row_group, list(texts)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        """Add rows behind those before."""
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= self._row_group:
            self._flush()

    def _flush(self) -> None:
        table = pa.concat_tables(self._waiting)
        if self._writer is None:
            # Dictionaries pay for text alone: on measured numbers they cost four times the writing and gain nothing.
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression="zstd", use_dictionary=self._texts, version="2.6"
            )
        self._writer.write_table(table, row_group_size=self._row_group)
        self._waiting, self._rows = [], 0

    def close(self) -> None:
        """Write what waits, and the footer."""
        if self._waiting:
            self._flush()
        if self._writer is not None:
            self._writer.close()
