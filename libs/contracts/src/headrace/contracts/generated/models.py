"""Generated from schemas/ by `make schemas`; changes here are lost."""

from __future__ import annotations
from typing import Annotated, Any, ClassVar, Literal
from pydantic import Field
from headrace.contracts.base import Event, Model, OpenEvent, Timestamp


class AnswersCompared(Model):
    """
    What a shadow answered beside the champion on the same rows; sums, so that those of several replicas add up.
    """

    rows: Annotated[int, Field(ge=0)]
    """
    Rows that both have answered.
    """
    same: Annotated[int, Field(ge=0)]
    """
    Rows on which all labels are equal, and the same numbers are there at all.
    """
    numbers: Annotated[int, Field(ge=0)]
    """
    Numbers that both have answered, such as probabilities.
    """
    gap: Annotated[float, Field(ge=0.0)]
    """
    Sum of the absolute differences of these numbers, in their unit.
    """
    total: float
    """
    Sum of the champion's numbers.
    """
    squares: Annotated[float, Field(ge=0.0)]
    """
    Sum of the squares of the champion's numbers.
    """


class Approval(Model):
    """
    One person's yes.
    """

    by: str
    """
    Who.
    """
    at: Timestamp
    """
    When.
    """
    comment: str | None = None
    """
    Why.
    """


class Baseline(Model):
    """
    A version beside the trivial answer on the same rows, one metric.
    """

    metric: str
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")].
    """
    candidate: float
    """
    The version's value.
    """
    trivial: float
    """
    The trivial answer's value.
    """
    difference: float
    """
    Difference, oriented so that positive means that the version is better.
    """
    low: float
    """
    Lower end of the bootstrap interval of the difference.
    """
    high: float
    """
    Upper end.
    """
    confidence: float
    """
    Confidence of the interval, such as 0.95.
    """
    resamples: Annotated[int, Field(ge=0)]
    """
    Bootstrap resamples.
    """
    answer: str
    """
    What the trivial answer is, in words: the share of each label, the mean, the last value.
    """


class ColumnDrift(Model):
    """
    How far one column moved from the reference.
    """

    column: str
    """
    Column; `headrace:prediction` is the model's own answer.
    """
    role: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    """
    What the column is to the model: feature, context (logged, never learned from) or prediction. Only features count for the share.
    """
    kind: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What kind of values it holds.
    """
    method: str
    """
    Detector, such as jensen_shannon.
    """
    score: float
    """
    What the detector measured.
    """
    limit: float
    """
    Limit it is held against.
    """
    drifted: bool
    """
    Whether it is over the limit.
    """


class ColumnFacts(Model):
    """
    What the rows of one part hold in one column.
    """

    name: str
    """
    Column.
    """
    distinct: Annotated[int | None, Field(ge=0)] = None
    """
    Different values; absent where there are more than are counted.
    """
    values: Annotated[list[str] | None, Field(max_length=20)] = None
    """
    The values as text, where there are at most 20.
    """


class ColumnRule(Model):
    """
    What a contract promises of one column.
    """

    name: str
    """
    Name in the file's header.
    """
    type: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Logical type.
    """
    nullable: bool = False
    """
    Whether a value may be missing.
    """
    minimum: float | None = None
    """
    Smallest allowed value.
    """
    maximum: float | None = None
    """
    Largest allowed value.
    """
    allowed: list[str] | None = None
    """
    The allowed values of a string column.
    """
    unique: bool | None = None
    """
    Whether every value occurs once.
    """
    missing: list[str] | None = None
    """
    Values of this column that mean missing, besides the usual ones, such as ?, n/a or -999.
    """
    format: str | None = None
    """
    How a timestamp is written, in strptime's directives, such as %d/%m/%Y; default: ISO 8601.
    """


class Column(Model):
    """
    One column of a dataset.
    """

    name: str
    """
    Name in the file's header.
    """
    type: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Logical type.
    """
    nullable: bool
    """
    Whether a value may be missing.
    """


class Comparison(Model):
    """
    Two versions on the same rows, one metric.
    """

    metric: str
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")].
    """
    candidate: float
    """
    The candidate's value.
    """
    champion: float
    """
    The champion's value.
    """
    difference: float
    """
    Difference, oriented so that positive means that the candidate is better.
    """
    low: float
    """
    Lower end of the bootstrap interval of the difference.
    """
    high: float
    """
    Upper end.
    """
    confidence: float
    """
    Confidence of the interval, such as 0.95.
    """
    resamples: Annotated[int, Field(ge=0)]
    """
    Bootstrap resamples.
    """


class DatasetRef(Model):
    """
    One version of a dataset.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Name of the dataset.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version, counted from 1.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of the version, as `dataset.ingested` tells it.
    """


class EvaluationMetrics(Model):
    """
    Metrics of the versions that were compared.
    """

    candidate: dict[str, float]
    """
    The candidate's metrics.
    """
    champion: dict[str, float] | None = None
    """
    The champion's metrics, where there is one.
    """


class Evidence(Model):
    """
    What replicas saw of a version while it was watched.
    """

    requests: Annotated[int, Field(ge=0)]
    """
    Requests answered.
    """
    errors: Annotated[int, Field(ge=0)]
    """
    Requests that failed.
    """
    p99_ms: float | None = None
    """
    99th percentile of the time to answer, milliseconds.
    """
    compared: Annotated[int | None, Field(ge=0)] = None
    """
    Rows on which a shadow's answers were compared with the champion's.
    """
    agreement: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    """
    Share of these rows on which all labels are equal, and the same numbers are there at all.
    """
    distance: Annotated[float | None, Field(ge=0.0)] = None
    """
    Mean absolute difference of their numbers, in standard deviations of the champion's; absent where the champion answers no numbers, or one alone.
    """


class FairnessResult(Model):
    """
    One measure of how evenly a model treats the groups of a column.
    """

    column: str
    """
    Column that makes the groups.
    """
    measure: str
    """
    Such as parity_difference.
    """
    value: float
    """
    What was measured between the two groups that lie farthest apart.
    """
    limit: float
    """
    Limit it is held against.
    """
    breached: bool
    """
    Whether the whole interval is beyond the limit.
    """
    group: str | None = None
    """
    The group that fares worst.
    """
    low: float | None = None
    """
    Lower end of the 95 % interval, which allows for the number of groups.
    """
    high: float | None = None
    """
    Upper end of the 95 % interval.
    """
    groups: Annotated[int | None, Field(ge=2)] = None
    """
    Groups with enough rows, which were compared.
    """
    label: int | float | str | bool | None = None
    """
    The answer that was compared: how often each group gets this label.
    """


class File(Model):
    """
    One file of a model directory.
    """

    path: str
    """
    Path inside the directory, with forward slashes.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Bytes.
    """
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of the content.
    """


class GateResult(Model):
    """
    How a version met one gate of the declaration.
    """

    gate: str
    """
    The gate in words.
    """
    metric: str
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] that was looked at.
    """
    passed: bool
    """
    Whether it was met.
    """
    value: float | None = None
    """
    What was measured.
    """
    limit: float | None = None
    """
    What was asked for.
    """
    detail: str
    """
    One sentence with the figures.
    """


class Holdout(Model):
    """
    Which rows of a dataset version were kept away from the fit.
    """

    by: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    How rows were chosen.
    """
    fraction: float
    """
    Share of the rows that was asked for, 0 to 1.
    """
    column: str | None = None
    """
    The time column, where rows were chosen by time.
    """
    boundary: str | None = None
    """
    First time of the held-out rows, ISO 8601; rows at or after it are held out.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows held out.
    """
    columns: list[str] | None = None
    """
    Where rows were chosen at random: the columns by whose content it was decided, so that a row is held out whenever it comes again.
    """
    grouped_by: str | None = None
    """
    The column whose rows of one value were held out together or not at all; unset: every row by itself.
    """


class Label(Model):
    """
    What really happened for one predicted row, which is named by its prediction's id or by the caller's own key.
    """

    prediction_id: str | None = None
    """
    Id of the prediction; `id:row` names one row of a request, the bare id row 0. Either this or `key`.
    """
    key: Annotated[str | None, Field(max_length=200, min_length=1)] = None
    """
    The caller's own key of the row; of several predictions with it the newest in event time, or the first that comes. Either this or `prediction_id`.
    """
    value: int | float | str | bool
    """
    The truth: a number, a string or a boolean.
    """
    at: Timestamp | None = None
    """
    When it became known.
    """


class NotJudged(Model):
    """
    A column, or one group of it, of which a window has no figure, and why.
    """

    column: str | None = None
    """
    Column; absent where several are summed up.
    """
    group: str | None = None
    """
    Group of the column, as text.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows, or values, that there were.
    """
    needed: Annotated[int | None, Field(ge=0)] = None
    """
    Rows that a figure needs.
    """
    reason: str
    """
    Why there is no figure.
    """


class ObjectFolder(Model):
    """
    All objects of a bucket whose keys begin alike.
    """

    bucket: str
    """
    Bucket, with the prefix of the installation.
    """
    prefix: str
    """
    How the keys begin.
    """


class ObjectPlace(Model):
    """
    A place in the object store.
    """

    bucket: str
    """
    Bucket, with the prefix of the installation.
    """
    key: str
    """
    Key inside the bucket.
    """
    version_id: str | None = None
    """
    Version of the object.
    """


class ObjectRef(Model):
    """
    An object in the store, by place and by content.
    """

    bucket: str
    """
    Bucket, with the installation's prefix.
    """
    key: str
    """
    Key inside the bucket.
    """
    version_id: str | None = None
    """
    Version of the object, where the bucket keeps versions.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Bytes.
    """
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of the content, 64 hexadecimal digits.
    """


class Offence(Model):
    """
    One offending place in a file.
    """

    line: Annotated[int, Field(ge=0)]
    """
    Line in the file, counted from 1.
    """
    value: str | None = None
    """
    What stood there, shortened.
    """


class Part(Model):
    """
    One ingested file of a dataset version, as Parquet.
    """

    object: ObjectRef
    """
    The Parquet file.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows in it.
    """
    source: ObjectRef
    """
    The file as it was delivered.
    """
    source_name: str | None = None
    """
    Name the deliverer gave it.
    """
    ingested_at: Timestamp
    """
    When it was accepted.
    """
    profile: ObjectRef
    """
    JSON profile of its rows: counts, ranges, quantiles, frequent values per column.
    """


class PreparedStep(Model):
    """
    One step of a preparation.
    """

    step: str
    """
    Its name.
    """
    params: dict[str, Any]
    """
    Its parameters, with those that were not said.
    """
    learned: dict[str, Any]
    """
    What it learned of the columns, such as `categories: [3, 12]`: for each figure one value a column.
    """


class Prepared(Model):
    """
    Columns that are prepared alike for the estimator, and what was learned of them.
    """

    columns: list[str]
    """
    The columns.
    """
    steps: list[PreparedStep]
    """
    What is done to them, in order.
    """
    usual: bool
    """
    Whether the steps are the usual ones of the estimator; else they were declared.
    """
    makes: Annotated[int, Field(ge=0)]
    """
    Numbers that the estimator is given for a row of all these columns.
    """


class Reproduction(Model):
    """
    Whether a run has made a version again.
    """

    version: Annotated[int, Field(ge=1)]
    """
    Version that was to be made again.
    """
    run: str
    """
    Run that made it.
    """
    reproduced: bool
    """
    Whether the same came of it: the same files, or, where the framework promises no equal files, metrics within the tolerance on the same held-out rows.
    """
    differs: list[str]
    """
    Parts that differ from what is recorded: `data`, `parameters`, `rows`, `own-code` (a package), `code` (that trains), `python`, `packages`, `artifact`, `metrics`.
    """
    because: str | None = None
    """
    The likely reason, where it is not reproduced.
    """


class SearchResult(Model):
    """
    The search that found the parameters of a model.
    """

    trials: Annotated[int, Field(ge=1)]
    """
    Trials in all.
    """
    failed: Annotated[int, Field(ge=0)]
    """
    Trials that failed.
    """
    stopped: Annotated[int, Field(ge=0)]
    """
    Trials that were stopped early.
    """
    best: Annotated[int, Field(ge=1)]
    """
    Number of the best trial.
    """
    metric: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What the trials were compared by.
    """
    value: float
    """
    Its value in the best trial, on rows that judge trials: chosen among many, it flatters, and the held-out rows judge the model.
    """


class Segment(Model):
    """
    A node of a manifest that is full and never changes: some successive parts of a dataset version.
    """

    object: ObjectRef
    """
    The node, a Manifest document.
    """
    level: Annotated[int, Field(ge=0)]
    """
    0 where the node lists parts; else one more than that of the nodes that it lists.
    """
    parts: Annotated[int, Field(ge=1)]
    """
    Parts under it.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows of these parts.
    """
    profile: ObjectRef
    """
    JSON profile of these parts together.
    """


class Tensor(Model):
    """
    One input or output of a model, in the words of the Open Inference Protocol V2.
    """

    name: str
    """
    Name of the tensor; for tabular models the column.
    """
    datatype: str
    """
    BOOL, INT64, FP64, BYTES, ...: of a tabular input the column's own type, whether values may be missing or not.
    """
    shape: list[int]
    """
    Sizes; -1 where any number of rows is allowed.
    """
    nullable: bool | None = None
    """
    Whether values may be missing (null, or NaN where the datatype has it); they may where it is not said.
    """
    format: str | None = None
    """
    Of an input of BYTES that takes more than any text: `date-time` for times in ISO 8601; without an offset they are in UTC.
    """
    labels: list[int | float | str | bool] | None = None
    """
    Of an output: the labels that its values are among, or that its columns stand for, in the model's order and with the type that the training data gave them.
    """
    label: int | float | str | bool | None = None
    """
    Of an output that is a probability of one label: that label.
    """


class Trial(Model):
    """
    One trial of a search for parameters: what it tried, and what came of it so far.
    """

    run: str
    """
    Id under which the trial is listed among the runs; it makes no version.
    """
    number: Annotated[int, Field(ge=1)]
    """
    Number of the trial within its search.
    """
    of: Annotated[int, Field(ge=1)]
    """
    Trials of the search in all.
    """
    state: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Where it is.
    """
    params: dict[str, Any]
    """
    The searched parameters that it tries.
    """
    metric: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What the trials are compared by.
    """
    value: float | None = None
    """
    The metric on the rows that judge trials; of a trial that was stopped early the last value.
    """
    reached: Annotated[int | None, Field(ge=1)] = None
    """
    After how many steps of its fit (trees) it was stopped early.
    """
    seconds: Annotated[float | None, Field(ge=0.0)] = None
    """
    How long it worked, in seconds.
    """
    kind: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    Kind of its failure, as of a run's.
    """
    reason: str | None = None
    """
    Why it failed, or was stopped.
    """


class Usage(Model):
    """
    What a run took of the cluster, and what that cost.
    """

    queued_seconds: Annotated[float, Field(ge=0.0)]
    """
    Seconds from the request until it began to work, waits for data among them.
    """
    seconds: Annotated[float, Field(ge=0.0)]
    """
    Seconds from then to its end, over all of its attempts.
    """
    attempts: Annotated[int, Field(ge=0)]
    """
    How often a worker was given it; more than once where workers were lost.
    """
    cpus: Annotated[float, Field(ge=0.0)]
    """
    Processors that were set aside for it.
    """
    gpus: Annotated[float, Field(ge=0.0)]
    """
    Graphics processors that were set aside for it.
    """
    cpu_seconds: Annotated[float | None, Field(ge=0.0)] = None
    """
    Seconds that processors worked for the last attempt, its child processes among them; absent where its worker could not tell any more.
    """
    gpu_seconds: Annotated[float, Field(ge=0.0)]
    """
    Seconds that graphics processors were set aside for it: `gpus` times `seconds`.
    """
    peak_memory_mb: Annotated[float | None, Field(ge=0.0)] = None
    """
    Most resident memory of the last attempt's worker in MiB; absent where that is not known.
    """
    cost: Annotated[float | None, Field(ge=0.0)] = None
    """
    What it cost, in `currency`: the rate at its start, times `seconds`; absent where the trainer knows no prices.
    """
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    """
    Currency of `cost`, ISO 4217.
    """


class VersionTraffic(Model):
    """
    What one replica saw of one version in a moment.
    """

    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    role: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Its role at the time.
    """
    requests: Annotated[int, Field(ge=0)]
    """
    Requests answered or failed.
    """
    errors: Annotated[int, Field(ge=0)]
    """
    Requests that failed.
    """
    p50_ms: float
    """
    Median time to answer, milliseconds.
    """
    p99_ms: float
    """
    99th percentile of the time to answer, milliseconds.
    """
    compared: AnswersCompared | None = None
    """
    Of a shadow: its answers beside the champion's.
    """


class Violation(Model):
    """
    One way in which data break their contract.
    """

    check: str
    """
    Name of the check, such as data_type_check or missing_column_check.
    """
    column: str | None = None
    """
    Column concerned.
    """
    message: str
    """
    What is wrong and what would be right.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows concerned; 0 where the file as a whole is.
    """
    first: list[Offence]
    """
    The first offending places.
    """


class Window(Model):
    """
    A span of event time over which a model is judged; start included, end not.
    """

    number: Annotated[int, Field(ge=0)]
    """
    Number, counted per model.
    """
    start: Timestamp
    """
    First moment.
    """
    end: Timestamp
    """
    First moment after it.
    """


class CloudEvent(Model):
    """
    CloudEvents 1.0 in JSON structured mode, with the extensions that Headrace requires.
    """

    specversion: Literal["1.0"]
    """
    Version of CloudEvents.
    """
    id: Annotated[str, Field(min_length=1)]
    """
    Id of the event; an event recomputed after a crash has the same one. That of an outsider is read with its name and a colon before it.
    """
    source: Annotated[str, Field(min_length=1)]
    """
    Who said it, such as headrace/trainer. Of an outsider it is what the broker knows; what it writes here is a claim.
    """
    type: Annotated[str, Field(pattern="^headrace\\.[a-z_]+\\.[a-z_]+\\.v[0-9]+$")]
    """
    headrace.<aggregate>.<fact>.v<version>
    """
    subject: Annotated[str, Field(min_length=1)]
    """
    Key of the entity that it is about, such as the model's name.
    """
    time: Timestamp
    """
    When it happened.
    """
    dataschema: str
    """
    Where the schema of `data` is.
    """
    datacontenttype: Literal["application/json"]
    """
    Media type of `data`.
    """
    correlationid: str
    """
    Id of the request or event at the root of the chain.
    """
    causationid: str | None = None
    """
    Id of the event that led to this one directly.
    """
    traceparent: Annotated[
        str | None, Field(pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
    ] = None
    """
    W3C trace context.
    """
    authid: str | None = None
    """
    Who asked, such as key:alice, nats:partner or service:monitor. Of an outsider it is what the broker knows; what it writes here is a claim.
    """
    data: dict[str, Any]
    """
    The fact, as the schema of its type says.
    """


class AlertRaised(Event):
    """
    Somebody should look.
    """

    TYPE: ClassVar[str] = "headrace.alert.raised.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    alert: str
    """
    Id of the alert.
    """
    kind: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it is about.
    """
    severity: Literal["info", "warning", "critical"]
    """
    How urgent; a critical alert undoes a running rollout.
    """
    message: str
    """
    What was seen, with figures.
    """
    version: Annotated[int | None, Field(ge=1)] = None
    """
    Version concerned.
    """
    window: Window | None = None
    """
    The span of event time.
    """


class ApprovalRecorded(Event):
    """
    A person said yes or no to a version or to a change; each decision is kept for ever.
    """

    TYPE: ClassVar[str] = "headrace.approval.recorded.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int | None, Field(ge=1)] = None
    """
    Version that was decided on.
    """
    change: str | None = None
    """
    Id of the change that was decided on.
    """
    digest: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    """
    Digest of the version's artifact, or of the proposed declaration.
    """
    decision: Literal["approve", "reject"]
    """
    Yes or no.
    """
    by: str
    """
    Who.
    """
    comment: str | None = None
    """
    Why.
    """
    given: Annotated[int, Field(ge=0)]
    """
    Different people who said yes, with this one.
    """
    needed: Annotated[int, Field(ge=0)]
    """
    Approvals needed.
    """


class ApprovalRequested(Event):
    """
    A version passed its gates and waits for people.
    """

    TYPE: ClassVar[str] = "headrace.approval.requested.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of the artifact to approve.
    """
    needed: Annotated[int, Field(ge=0)]
    """
    Approvals needed.
    """
    given: Annotated[int, Field(ge=0)]
    """
    Approvals given so far.
    """
    gates: list[GateResult]
    """
    How it met each gate.
    """
    expires_at: Timestamp
    """
    When the request lapses.
    """


class ChangeApproved(Event):
    """
    A change has every approval it needs and takes effect.
    """

    TYPE: ClassVar[str] = "headrace.change.approved.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    change: str
    """
    Id of the change.
    """
    kind: Annotated[str, Field(pattern="^[a-z][a-z_]{0,30}$")]
    """
    What would change: `declaration`, or `alias` for a move of an alias that serves.
    """
    by: str
    """
    Who proposed it.
    """
    approvals: list[Approval]
    """
    Who said yes.
    """


class ChangeRejected(Event):
    """
    A change will not take effect.
    """

    TYPE: ClassVar[str] = "headrace.change.rejected.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    change: str
    """
    Id of the change.
    """
    kind: Annotated[str, Field(pattern="^[a-z][a-z_]{0,30}$")]
    """
    What would change: `declaration`, or `alias` for a move of an alias that serves.
    """
    state: Annotated[str, Field(pattern="^[a-z][a-z_]{0,30}$")]
    """
    How it ended: `rejected`, `withdrawn`, `expired`, or `superseded` by another revision.
    """
    reason: str
    """
    Why.
    """
    by: str | None = None
    """
    Who rejected or withdrew it, where a person did.
    """


class CheckpointSigned(Event):
    """
    The audit log vouches for everything up to here.
    """

    TYPE: ClassVar[str] = "headrace.checkpoint.signed.v1"
    KEY: ClassVar[str] = "origin"

    origin: str
    """
    Name of the log.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Entries in the tree.
    """
    root: str
    """
    Root hash, base64.
    """
    checkpoint: str
    """
    The signed note, as text.
    """


class CodePushed(Event):
    """
    A folder with code is packed, and is a version of a package that runs may use.
    """

    TYPE: ClassVar[str] = "headrace.code.pushed.v1"
    KEY: ClassVar[str] = "package"

    package: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Package.
    """
    version: Annotated[int, Field(ge=1)]
    """
    The new version; versions of a package count from 1.
    """
    object: ObjectRef
    """
    The files as one plain tar archive, in the order of their paths, without owners and times; its SHA-256 is the digest of the package.
    """
    files: Annotated[int, Field(ge=1)]
    """
    Files in it.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Bytes of all files together.
    """
    commit: Annotated[str | None, Field(pattern="^[0-9a-f]{40,64}$")] = None
    """
    The commit of git that the folder was at, as its sender says.
    """
    dirty: bool | None = None
    """
    Whether the folder differed from that commit, as its sender says.
    """
    by: str
    """
    Who pushed it.
    """


class DatasetRejected(Event):
    """
    A file broke its contract; nothing of it was taken.
    """

    TYPE: ClassVar[str] = "headrace.dataset.rejected.v1"
    KEY: ClassVar[str] = "dataset"

    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Dataset.
    """
    reason: str
    """
    One sentence.
    """
    source: ObjectRef | None = None
    """
    The file as it was delivered.
    """
    source_name: str | None = None
    """
    Name the deliverer gave it.
    """
    rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows that were read.
    """
    violations: list[Violation]
    """
    What is wrong, and where.
    """


class DriftDetected(Event):
    """
    The data moved away from what the model learned from.
    """

    TYPE: ClassVar[str] = "headrace.drift.detected.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version it was measured for.
    """
    window: Window
    """
    The span of event time.
    """
    columns: list[str]
    """
    Columns that drifted.
    """
    share: float
    """
    Share of the columns that drifted, 0 to 1.
    """
    limit: float
    """
    Share that the declaration allows.
    """


class EvaluationCompleted(Event):
    """
    Versions were judged on the same rows.
    """

    TYPE: ClassVar[str] = "headrace.evaluation.completed.v1"
    KEY: ClassVar[str] = "model"

    evaluation: str
    """
    Id of the evaluation.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    candidate: Annotated[int, Field(ge=1)]
    """
    The version that was judged.
    """
    champion: Annotated[int | None, Field(ge=1)] = None
    """
    The version it met.
    """
    dataset: DatasetRef
    """
    Whose rows.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Held-out rows that the candidate was judged on.
    """
    metrics: EvaluationMetrics
    """
    Metrics of each.
    """
    comparisons: list[Comparison]
    """
    Paired comparison per metric; empty without a champion.
    """
    baselines: list[Baseline] | None = None
    """
    The candidate beside the trivial answer, per metric.
    """
    incomparable: str | None = None
    """
    Why candidate and champion could not be compared, and what to do; absent where they were, or where there was no champion.
    """
    compared_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Of them, the rows that neither version has learned from, known by their content: what comparisons are of.
    """


class EvaluationFailed(Event):
    """
    A version could not be judged.
    """

    TYPE: ClassVar[str] = "headrace.evaluation.failed.v1"
    KEY: ClassVar[str] = "model"

    evaluation: str
    """
    Id of the evaluation.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    candidate: Annotated[int, Field(ge=1)]
    """
    The version that was to be judged.
    """
    reason: str
    """
    What went wrong and what to do.
    """


class FairnessBreached(Event):
    """
    A model treats groups more unevenly than allowed.
    """

    TYPE: ClassVar[str] = "headrace.fairness.breached.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    window: Window
    """
    The span of event time.
    """
    column: str
    """
    Column that makes the groups.
    """
    measure: str
    """
    Such as parity_difference.
    """
    value: float
    """
    What was measured between the two groups that lie farthest apart.
    """
    limit: float
    """
    What the declaration allows.
    """
    group: str | None = None
    """
    The group that fares worst.
    """
    low: float | None = None
    """
    Lower end of the 95 % interval.
    """
    high: float | None = None
    """
    Upper end of the 95 % interval; the limit lies outside.
    """
    label: int | float | str | bool | None = None
    """
    The answer that was compared: how often each group gets this label.
    """


class ImportCancelled(Event):
    """
    An import was stopped because somebody asked.
    """

    TYPE: ClassVar[str] = "headrace.import.cancelled.v1"
    KEY: ClassVar[str] = "model"

    import_id: str
    """
    Id of the import.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    source_name: str | None = None
    """
    What was to be imported, for people.
    """
    by: str
    """
    Who asked.
    """
    reason: str
    """
    Why.
    """


class ImportFailed(Event):
    """
    An import ended without a version.
    """

    TYPE: ClassVar[str] = "headrace.import.failed.v1"
    KEY: ClassVar[str] = "model"

    import_id: str
    """
    Id of the import.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    kind: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What kind of failure.
    """
    reason: str
    """
    What went wrong and what to do, readable.
    """
    source_name: str | None = None
    """
    What was to be imported, for people.
    """
    requested_by: str
    """
    Who asked.
    """
    warnings: list[str] | None = None
    """
    Warnings of libraries on the way.
    """


class ImportQueued(Event):
    """
    An import was accepted and waits.
    """

    TYPE: ClassVar[str] = "headrace.import.queued.v1"
    KEY: ClassVar[str] = "model"

    import_id: str
    """
    Id of the import.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Dataset that judges it.
    """
    reason: str
    """
    Why it was asked for.
    """
    waits_for: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it waits for: a free place, or data that have not come yet.
    """
    requested_by: str
    """
    Who asked.
    """
    source: ObjectPlace
    """
    What is to be imported.
    """
    source_name: str | None = None
    """
    Its name, for people.
    """


class IntegrityViolated(Event):
    """
    Something in the record does not fit.
    """

    TYPE: ClassVar[str] = "headrace.integrity.violated.v1"
    KEY: ClassVar[str] = "origin"

    origin: str
    """
    Name of the log.
    """
    what: str
    """
    What kind of thing.
    """
    where: str
    """
    Where.
    """
    expected: str
    """
    What should be there.
    """
    found: str
    """
    What is there.
    """


class MessageReplayed(Event):
    """
    A parked message is handled again by the service that had parked it.
    """

    TYPE: ClassVar[str] = "headrace.message.replayed.v1"
    KEY: ClassVar[str] = "service"

    service: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Service that had parked it, and handles it again.
    """
    dead_letter: Annotated[str, Field(min_length=1)]
    """
    Id under which it was parked there.
    """
    stream: Annotated[str, Field(min_length=1)]
    """
    Stream that the message lies in.
    """
    seq: Annotated[int, Field(ge=1)]
    """
    Its number in that stream. What the message says is read from what the service kept of it; a replay carries no content.
    """
    message_id: str
    """
    Id of the event, or the message's place where it cannot be read.
    """
    subject: str
    """
    Subject it was published to.
    """


class PerformanceDegraded(Event):
    """
    A model is worse than it promised.
    """

    TYPE: ClassVar[str] = "headrace.performance.degraded.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    window: Window
    """
    The span of event time.
    """
    metric: str
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")].
    """
    value: float
    """
    What was measured.
    """
    reference: float
    """
    What was promised on the holdout.
    """
    drop: float
    """
    How much worse, oriented so that positive is worse.
    """
    limit: float
    """
    Drop that the declaration allows.
    """
    truths: Annotated[int, Field(ge=0)]
    """
    Rows it was measured on.
    """


class PredictionLogged(Event):
    """
    A request was answered.
    """

    TYPE: ClassVar[str] = "headrace.prediction.logged.v1"
    KEY: ClassVar[str] = "model"

    prediction_id: str
    """
    Id given to the caller; row i is `id:i`.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version that answered.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    route: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Role of the version.
    """
    time: Timestamp
    """
    Event time: the request's own, else its arrival.
    """
    received_at: Timestamp
    """
    When it arrived.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows in the request.
    """
    inputs: dict[str, list[Any]]
    """
    Column by column, values as they came.
    """
    context: dict[str, list[Any]] | None = None
    """
    Context columns that the request carried, column by column: watched, never given to the model.
    """
    keys: list[str | None] | None = None
    """
    The caller's own key of each row, null where it gave none: truth can be reported by it.
    """
    outputs: dict[str, list[Any]]
    """
    Output by output.
    """
    request_id: str | None = None
    """
    The caller's own id.
    """
    caller: str
    """
    Who asked.
    """
    latency_ms: float
    """
    Time to answer, milliseconds.
    """
    replica: str
    """
    Replica that answered.
    """
    first_row: Annotated[int | None, Field(ge=0)] = None
    """
    Where a request was too big for one message and split: the row that these rows begin with, counted from 0; row i is then `id:first_row+i`.
    """


class ReplicaLoaded(Event):
    """
    A replica loaded a version, or could not.
    """

    TYPE: ClassVar[str] = "headrace.replica.loaded.v1"
    KEY: ClassVar[str] = "model"

    replica: str
    """
    Name of the replica.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of the artifact it loaded.
    """
    revision: Annotated[int, Field(ge=0)]
    """
    Revision of the route table that asked for it.
    """
    ok: bool
    """
    Whether it is ready to answer.
    """
    error: str | None = None
    """
    Why not.
    """
    seconds: float
    """
    Seconds it took.
    """


class ReplicaReported(Event):
    """
    What a replica saw of each version, said once a second while a canary meets traffic.
    """

    TYPE: ClassVar[str] = "headrace.replica.reported.v1"
    KEY: ClassVar[str] = "model"

    replica: str
    """
    Name of the replica.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    since: Timestamp
    """
    Start of the span.
    """
    until: Timestamp
    """
    End of the span.
    """
    versions: list[VersionTraffic]
    """
    One entry per version.
    """


class CancelRequested(Event):
    """
    Cancel a run, or an import.
    """

    TYPE: ClassVar[str] = "headrace.request.cancel.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    run: str
    """
    Run to cancel, or import, by its id.
    """
    reason: str | None = None
    """
    Why.
    """


class DecisionGiven(Event):
    """
    Approve or reject a version that waits for people.
    """

    TYPE: ClassVar[str] = "headrace.request.decision.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    decision: Literal["approve", "reject"]
    """
    Yes or no.
    """
    comment: str | None = None
    """
    Why.
    """
    digest: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    """
    Digest that was looked at; refused where it is another.
    """


class DeclarationRequested(OpenEvent):
    """
    Declare a model; the data are the declaration itself, as it was written: the registry judges it as it judges one that came over HTTP.
    """

    TYPE: ClassVar[str] = "headrace.request.declaration.v1"
    KEY: ClassVar[str] = "name"

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Name of the model; part of subjects and URLs.
    """


class ImportRequested(Event):
    """
    Import a model that was made elsewhere and that already lies in the object store, as one file or a tar archive of a directory.
    """

    TYPE: ClassVar[str] = "headrace.request.import.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    object: ObjectPlace
    """
    Where it lies.
    """
    source_name: str | None = None
    """
    Its name, for people; the last part of the key where it is missing.
    """
    format: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    What it is; found by its content where it is missing.
    """
    data: Annotated[
        str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]*)?$")
    ] = None
    """
    Test dataset, DATASET or DATASET@VERSION: all of its rows judge the version. Where it is missing, the rows that the declaration holds out of its own dataset.
    """
    learned_from: Annotated[
        str | None, Field(pattern="^([a-z0-9][a-z0-9_-]{0,62}@[1-9][0-9]*|none)$")
    ] = None
    """
    Which rows the model has learned from, as far as who asks can say: DATASET@VERSION, or `none` of the rows that it is judged on. Where it is missing nobody knows, and it is compared with no other version.
    """
    columns: list[str] | None = None
    """
    The dataset's columns in the order in which the artifact takes them, where its own names do not say so.
    """
    outputs: dict[str, str] | None = None
    """
    Of an artifact with several outputs: for an output of the task (`label`, `probability`, `probabilities`, `prediction`) the artifact's own name of it.
    """
    labels: list[int | float | str | bool] | None = None
    """
    The labels in the artifact's order, where the artifact has codes or none.
    """
    reason: str | None = None
    """
    Why; kept with the version.
    """


class IngestRequested(Event):
    """
    Ingest a file that already lies in the object store.
    """

    TYPE: ClassVar[str] = "headrace.request.ingest.v1"
    KEY: ClassVar[str] = "dataset"

    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Dataset; taken from the subject where it is missing.
    """
    object: ObjectPlace
    """
    Where the file lies.
    """
    mode: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    Add to the dataset (default) or replace it.
    """
    format: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    Format; by the key's ending where it is missing.
    """
    source_name: str | None = None
    """
    Name for people.
    """


class PromotionRequested(Event):
    """
    Make a version of a completed run of an experiment.
    """

    TYPE: ClassVar[str] = "headrace.request.promotion.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    run: str
    """
    Run of an experiment that becomes a version.
    """
    reason: str | None = None
    """
    Why; kept with the run.
    """


class RequestRefused(Event):
    """
    A request was malformed, or may not be made, and was parked.
    """

    TYPE: ClassVar[str] = "headrace.request.refused.v1"
    KEY: ClassVar[str] = "about"

    about: str
    """
    Key of the request's subject.
    """
    request_id: str
    """
    Id of the request; that of an outsider begins with its name.
    """
    request_type: str
    """
    Its type, as far as it could be told.
    """
    subject: str
    """
    Subject it was published to, without who published it.
    """
    reason: str
    """
    Why, and what would be right.
    """
    by: str
    """
    Service that refused it.
    """


class ReproductionRequested(Event):
    """
    Run again what made a version: the recorded data, code, parameters and seed. It makes no version; `training.completed` tells whether the same came of it.
    """

    TYPE: ClassVar[str] = "headrace.request.reproduction.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version that is made again.
    """
    tolerance: Annotated[float | None, Field(ge=0.0, le=1.0)] = None
    """
    How far a metric may be from the recorded one, as a share of it, where the framework promises no equal files; default: 0.01.
    """
    reason: str | None = None
    """
    Why; kept with the run.
    """


class RolloutRequested(Event):
    """
    Steer a rollout.
    """

    TYPE: ClassVar[str] = "headrace.request.rollout.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    action: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What to do.
    """
    version: Annotated[int | None, Field(ge=1)] = None
    """
    Version concerned.
    """
    reason: str | None = None
    """
    Why.
    """


class TrainingRequested(Event):
    """
    Train a model.
    """

    TYPE: ClassVar[str] = "headrace.request.training.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    reason: str | None = None
    """
    Why; kept with the run.
    """
    data: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    `latest` trains on the newest version at once; `newer` waits for one that no run has seen.
    """
    dataset_version: Annotated[int | None, Field(ge=1)] = None
    """
    A particular dataset version.
    """
    params: dict[str, Any] | None = None
    """
    Parameters that replace the declared ones.
    """
    seed: Annotated[int | None, Field(ge=0)] = None
    """
    Seed that replaces the declared one.
    """
    experiment: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = (
        None
    )
    """
    Experiment that the run belongs to. A run of an experiment makes no version until it is promoted.
    """
    search: dict[str, Any] | None = None
    """
    Search for parameters that replaces the declared one: the fields of `training.search`.
    """
    priority: int | str | None = None
    """
    Priority in the place of the declared one: low, normal, high, urgent, or a whole number from -10 to 10. Above the declared one only a person may ask.
    """


class TruthReported(Event):
    """
    Report what really happened.
    """

    TYPE: ClassVar[str] = "headrace.request.truth.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model; taken from the subject where it is missing.
    """
    labels: Annotated[list[Label], Field(max_length=10000, min_length=1)]
    """
    At most 10,000.
    """


class RiskReviewed(Event):
    """
    A person looked at a model's risk again.
    """

    TYPE: ClassVar[str] = "headrace.risk.reviewed.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int | None, Field(ge=1)] = None
    """
    The champion at that moment.
    """
    by: str
    """
    Who.
    """
    comment: str | None = None
    """
    What was found.
    """
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    """
    Probability times impact, 0 to 1.
    """
    rating: Annotated[str, Field(pattern="^[a-z]{1,20}$")]
    """
    The score in a word: low, medium or high.
    """
    review_due: Timestamp
    """
    When it must be looked at next.
    """


class RolloutAdvanced(Event):
    """
    A rollout reached its next step.
    """

    TYPE: ClassVar[str] = "headrace.rollout.advanced.v1"
    KEY: ClassVar[str] = "model"

    rollout: str
    """
    Id of the rollout.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    percent: Annotated[int, Field(ge=0)]
    """
    Share of the traffic it gets now, 0 to 100.
    """
    step: Annotated[int, Field(ge=1)]
    """
    Step reached, counted from 1.
    """
    of: Annotated[int, Field(ge=0)]
    """
    Steps in all.
    """
    evidence: Evidence
    """
    What was seen of the version until now.
    """


class RolloutCompleted(Event):
    """
    A version serves all traffic.
    """

    TYPE: ClassVar[str] = "headrace.rollout.completed.v1"
    KEY: ClassVar[str] = "model"

    rollout: str
    """
    Id of the rollout.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    seconds: float
    """
    Seconds from start to end.
    """
    evidence: Evidence | None = None
    """
    What was seen of the version during the last step.
    """


class RolloutRolledBack(Event):
    """
    A rollout was undone; the previous version serves.
    """

    TYPE: ClassVar[str] = "headrace.rollout.rolled_back.v1"
    KEY: ClassVar[str] = "model"

    rollout: str
    """
    Id of the rollout.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version that was taken back.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    restored: Annotated[int | None, Field(ge=1)] = None
    """
    Version that serves again.
    """
    reason: str
    """
    Why.
    """
    evidence: Evidence
    """
    What was seen of the version.
    """


class RolloutStarted(Event):
    """
    Traffic begins to move to a version.
    """

    TYPE: ClassVar[str] = "headrace.rollout.started.v1"
    KEY: ClassVar[str] = "model"

    rollout: str
    """
    Id of the rollout.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version to roll out.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    previous: Annotated[int | None, Field(ge=1)] = None
    """
    Version that serves now.
    """
    strategy: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    How.
    """
    steps: list[int]
    """
    Percent of the traffic at each step.
    """


class TrainingCancelled(Event):
    """
    A run was stopped because somebody asked.
    """

    TYPE: ClassVar[str] = "headrace.training.cancelled.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    by: str
    """
    Who asked.
    """
    reason: str
    """
    Why.
    """
    usage: Usage | None = None
    """
    What it took, and what that cost.
    """


class TrainingFailed(Event):
    """
    A run ended without a model.
    """

    TYPE: ClassVar[str] = "headrace.training.failed.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    kind: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What kind of failure.
    """
    reason: str
    """
    What went wrong and what to do, readable.
    """
    dataset: DatasetRef | None = None
    """
    What it was learning from.
    """
    warnings: list[str] | None = None
    """
    Warnings of the library on the way.
    """
    usage: Usage | None = None
    """
    What it took, and what that cost.
    """


class TrainingProgressed(Event):
    """
    A run got further.
    """

    TYPE: ClassVar[str] = "headrace.training.progressed.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    stage: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it does.
    """
    step: Annotated[int, Field(ge=0)]
    """
    Step within the run, counted from 1.
    """
    of: Annotated[int, Field(ge=0)]
    """
    Steps in all.
    """
    message: str | None = None
    """
    For people.
    """
    metrics: dict[str, float] | None = None
    """
    Metrics so far.
    """
    trial: Trial | None = None
    """
    The trial that began or ended, where the run searches for parameters first.
    """


class TrainingQueued(Event):
    """
    A run was accepted and waits.
    """

    TYPE: ClassVar[str] = "headrace.training.queued.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Dataset it will learn from.
    """
    reason: str
    """
    Why it was asked for.
    """
    waits_for: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it waits for: a free place, data that have not come yet, a node with what it asks for, or its owner's quota.
    """
    requested_by: str
    """
    Who asked.
    """
    detail: str | None = None
    """
    In words, where it waits for resources or for a quota: what it asks for and what there is; or why it waits again.
    """
    experiment: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = (
        None
    )
    """
    Experiment that the run belongs to: it makes no version until it is promoted.
    """
    priority: int | None = None
    """
    Its priority, from -10 to 10, where that is not 0.
    """


class VersionApproved(Event):
    """
    A version passed its gates and has every approval it needs.
    """

    TYPE: ClassVar[str] = "headrace.version.approved.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of the artifact that was approved.
    """
    gates: list[GateResult]
    """
    How it met each gate.
    """
    approvals: list[Approval]
    """
    Who said yes.
    """


class VersionRejected(Event):
    """
    A version will not be used.
    """

    TYPE: ClassVar[str] = "headrace.version.rejected.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    reason: str
    """
    Why.
    """
    gates: list[GateResult]
    """
    How it met each gate.
    """
    by: str | None = None
    """
    Who rejected it, where a person did.
    """


class WindowEvaluated(Event):
    """
    A window of predictions was judged, for one of the versions that answered in it.
    """

    TYPE: ClassVar[str] = "headrace.window.evaluated.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    window: Window
    """
    The span of event time.
    """
    versions: list[int]
    """
    Every version that answered in it, shadows apart; each is judged by its own rows, in an event of its own.
    """
    version: Annotated[int, Field(ge=1)]
    """
    The version that the figures are of.
    """
    route: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    """
    Role in which it answered most of them: champion or canary.
    """
    predictions: Annotated[int, Field(ge=0)]
    """
    Rows that this version predicted.
    """
    truths: Annotated[int, Field(ge=0)]
    """
    Rows of these of which the truth is known.
    """
    drift: list[ColumnDrift]
    """
    Drift per column, against this version's own reference.
    """
    drift_share: float | None = None
    """
    Share of the columns that drifted, 0 to 1; absent without enough rows.
    """
    metrics: dict[str, float]
    """
    Quality on the rows whose truth is known; empty without enough of them.
    """
    reference: dict[str, float]
    """
    What this version promised on its holdout.
    """
    fairness: list[FairnessResult]
    """
    Fairness per group column.
    """
    not_judged: list[NotJudged]
    """
    Columns and groups that have no figure, with their rows; many are summed up.
    """
    freshness_s: float | None = None
    """
    Seconds between the newest prediction and the end of the window.
    """


class WindowScheduled(Event):
    """
    The next window of a model is known.
    """

    TYPE: ClassVar[str] = "headrace.window.scheduled.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    window: Window
    """
    The span of event time.
    """
    due: Timestamp
    """
    When it can be judged at the earliest, in event time.
    """


class Owner(Model):
    """
    Who answers for the model.
    """

    team: str = ""
    """
    Team.
    """
    contact: str = ""
    """
    Address to write to.
    """


class Risk(Model):
    """
    Risk is probability times impact; the probability is fed by what monitor sees.
    """

    impact: Literal["low", "medium", "high"] = "low"
    """
    Harm that a wrong answer can do.
    """
    review_every: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "P180D"
    """
    How often people look at the risk again, ISO 8601 duration.
    """


class Resources(Model):
    """
    What a run takes.
    """

    cpus: Annotated[float, Field(gt=0.0, le=4096.0)] = 1
    """
    Processors.
    """
    gpus: Annotated[float, Field(ge=0.0, le=4096.0)] = 0
    """
    Graphics processors.
    """
    memory_mb: Annotated[int | None, Field(ge=64, le=67108864)] = None
    """
    Memory limit in MiB; default: the cluster's own.
    """
    custom: dict[str, float] = {}
    """
    Resources that somebody gave a name on the nodes of the Ray cluster, such as {fpga: 1}; a run waits where no node has them.
    """


class EarlyStopping(Model):
    """
    A part of the rows that could be learned from, never of the holdout, on which the fit is watched: the newest where the holdout is by time, else some at random.
    """

    rounds: Annotated[int, Field(ge=1, le=10000)] = 50
    """
    How many trees or iterations without a gain are waited for.
    """
    fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """
    Share of the rows that could be learned from.
    """


class Preparation(Model):
    """
    Steps for columns, each the name of a step, or a mapping from the name to the step's parameters, such as {impute: {strategy: mean}}. A column's own steps take the place of those for its kind, and these that of the usual ones.
    """

    kinds: dict[str, list[str | dict[str, Any]]] = {}
    """
    Steps for all columns of a kind: numeric, boolean, string or timestamp.
    """
    columns: dict[str, list[str | dict[str, Any]]] = {}
    """
    Steps for single columns, by their names.
    """


class HoldoutPolicy(Model):
    """
    Which rows are kept away from the fit.
    """

    by: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    The newest rows, or rows at random; default: time where data.time is given.
    """
    fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """
    Share of the rows.
    """


class Gate(Model):
    """
    One condition: a limit on the metric, or a comparison on the same rows with the champion or with the trivial answer.
    """

    metric: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")], one of those that the task allows.
    """
    at_least: float | None = None
    """
    Smallest allowed value.
    """
    at_most: float | None = None
    """
    Largest allowed value.
    """
    beats: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    Whom to beat: the champion, or the trivial answer that needs no model (the share of each label, the mean, the last value).
    """
    by: Annotated[float, Field(ge=0.0)] = 0
    """
    By how much at least, in the metric's better direction.
    """


class Evaluation(Model):
    """
    How a version is judged.
    """

    holdout: HoldoutPolicy = Field(default_factory=HoldoutPolicy)
    """
    Rows it is judged on.
    """
    metrics: list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]] = []
    """
    Metrics to compute, of those that the task allows; default: those usual for the task.
    """
    gates: list[Gate] = []
    """
    Every gate must be met; default: that the first metric beats the trivial answer and the champion's. An empty list lets every version through.
    """
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95
    """
    Confidence of the bootstrap interval.
    """
    resamples: Annotated[int, Field(ge=20, le=10000)] = 200
    """
    Bootstrap resamples.
    """


class ApprovalPolicy(Model):
    """
    Which people must say yes; the author never counts.
    """

    needed: Annotated[int, Field(ge=0, le=100)] = 0
    """
    Approvals needed.
    """
    expires: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "P7D"
    """
    How long people have, ISO 8601 duration.
    """


class ShadowPolicy(Model):
    """
    How much a shadow's answers may differ from the champion's on the same requests. Beyond that it waits for a person.
    """

    agreement: Annotated[float, Field(ge=0.0, le=1.0)] = 0.8
    """
    Least share of rows with equal labels.
    """
    distance: Annotated[float, Field(gt=0.0, le=1000000.0)] = 1.0
    """
    Largest mean difference of the numbers it answers, in standard deviations of the champion's.
    """


class DetectorPolicy(Model):
    """
    A detector and its limit.
    """

    method: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Detector, such as ks or psi.
    """
    limit: Annotated[float | None, Field(ge=0.0)] = None
    """
    Its limit; default: its usual one.
    """


class DriftPolicy(Model):
    """
    When data count as drifted.
    """

    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """
    Share of the columns, 0 to 1.
    """
    method: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    Detector for every column; default: by the kind and number of values. A detector fits numbers, categories, or both.
    """
    threshold: Annotated[float | None, Field(ge=0.0)] = None
    """
    Limit of `method`; default: its usual one.
    """
    numeric: DetectorPolicy | None = None
    """
    Detector of columns that hold numbers.
    """
    categorical: DetectorPolicy | None = None
    """
    Detector of columns that hold categories.
    """


class PerformancePolicy(Model):
    """
    When quality counts as degraded.
    """

    metric: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")], one of those that the task allows.
    """
    drop: Annotated[float, Field(gt=0.0)]
    """
    How much worse than promised is too much.
    """


class FairnessPolicy(Model):
    """
    When groups are treated too unevenly.
    """

    measure: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = (
        "parity_difference"
    )
    """
    Difference or ratio of the groups' positive rates.
    """
    limit: Annotated[float, Field(ge=0.0)] = 0.1
    """
    Limit, 0.1 for a difference and 0.8 for a ratio by default; breached is only what lies beyond it with its whole 95 % interval.
    """
    minimum: Annotated[int, Field(ge=2)] = 30
    """
    Fewest rows of a group that is compared.
    """


class Told(Model):
    """
    A place to which alerts of the model are sent.
    """

    channel: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    How they are sent: webhook, a signed POST to an HTTP server.
    """
    to: Annotated[str, Field(max_length=2000, min_length=1)]
    """
    Where to, as the channel has it; for a webhook an http or https address.
    """
    severity: Literal["info", "warning", "critical"] = "warning"
    """
    The least urgent severity that is sent.
    """


class TruthPolicy(Model):
    """
    How truth arrives.
    """

    matures_after: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "PT0S"
    """
    How long after a window's end its truth is awaited, ISO 8601 duration.
    """


class Monitoring(Model):
    """
    How the model is watched.
    """

    every: str = "@daily"
    """
    Length of a window: ISO 8601 duration, cron expression, @hourly, @daily, @weekly or @monthly.
    """
    minimum: Annotated[int, Field(ge=1, le=1000000000)] = 200
    """
    Fewest rows for a figure, and fewest values of a column for its drift.
    """
    drift: DriftPolicy = Field(default_factory=DriftPolicy)
    """
    When data count as drifted.
    """
    performance: PerformancePolicy | None = None
    """
    When quality counts as degraded.
    """
    fairness: FairnessPolicy | None = None
    """
    When groups are treated too unevenly.
    """
    freshness: Annotated[
        str | None,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = None
    """
    Longest silence before somebody is told, ISO 8601 duration.
    """
    truth: TruthPolicy = Field(default_factory=TruthPolicy)
    """
    How truth arrives.
    """
    tell: Annotated[list[Told], Field(max_length=20, validate_default=True)] = []
    """
    Who is told of alerts, beside the audit log.
    """


class Retraining(Model):
    """
    When the model is trained again by itself.
    """

    on: list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]] = []
    """
    What asks for it.
    """
    every: str | None = None
    """
    With `schedule` among `on`: when, as an ISO 8601 duration, cron expression, @hourly, @daily, @weekly or @monthly.
    """
    cooldown: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "PT30M"
    """
    Shortest time between two requests, ISO 8601 duration.
    """


class Dialect(Model):
    """
    How a CSV file is written.
    """

    delimiter: Annotated[str, Field(max_length=1, min_length=1)] = ","
    """
    What separates values: a comma, a semicolon, a tab or a bar.
    """
    decimal: Literal[".", ","] = "."
    """
    What separates the decimals of a number.
    """
    encoding: Annotated[str, Field(pattern="^[a-z0-9-]{3,20}$")] = "utf-8"
    """
    How text is encoded: utf-8, utf-16, windows-1252, iso-8859-1 or iso-8859-15.
    """


class OwnCode(Model):
    """
    Code of your own that trains: a package that `headrace code push` has made, and how it is run; exactly one of entry and command.
    """

    package: Annotated[
        str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]{0,8})?$")
    ]
    """
    Package, `NAME` for the version that is the newest when a run is asked for, `NAME@VERSION` for that one.
    """
    entry: Annotated[
        str | None,
        Field(
            max_length=200,
            pattern="^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
        ),
    ] = None
    """
    A Python function `module:function` of the package, called with a headrace.code.context.Context.
    """
    command: Annotated[
        list[Annotated[str, Field(max_length=1000, min_length=1)]] | None, Field(max_length=100, min_length=1)
    ] = None
    """
    A program and its arguments, in any language, started in the package's folder.
    """
    environment: Annotated[str | None, Field(max_length=200, min_length=1)] = None
    """
    Lock file of the package, from which the packages of its own environment are installed: requirements.txt with versions, pylock.toml or uv.lock; default: what the worker has.
    """


class Search(Model):
    """
    Trials over parameters of the estimator. Each learns a part of the rows that could be learned from and is judged on the rest of them, never on the holdout; the best parameters are then trained as any run trains.
    """

    space: Annotated[dict[str, Any], Field(max_length=50, min_length=1)]
    """
    By parameter of the estimator what is tried of it: numbers `{from, to}`, over orders of magnitude `{from, to, scale: log}`, in steps `{from, to, step}`, or values `{one_of: [...]}`.
    """
    metric: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    """
    What trials are compared by, in the direction of that metric; default: the first of evaluation.metrics.
    """
    trials: Annotated[int, Field(ge=1, le=1000)] = 32
    """
    How many combinations are tried.
    """
    parallel: Annotated[int, Field(ge=1, le=1000)] = 2
    """
    How many trials at a time, each with the processors of `resources`; of more than one the order in which they end is chance, and so are those that follow.
    """
    fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """
    Share of the rows that could be learned from that judges trials; with early stopping those rows do that it watches.
    """
    stop_early: bool = True
    """
    Whether trials that are behind are stopped on the way (ASHA), where the estimator can be judged before it is done.
    """


class Artifact(Model):
    """
    A model directory in the object store; its digest binds every file.
    """

    bucket: str
    """
    Bucket, with the installation's prefix.
    """
    prefix: str
    """
    Common beginning of the keys of its files.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of the canonical JSON of the sorted list of [path, size, sha256].
    """
    size: Annotated[int, Field(ge=0)]
    """
    Bytes in all.
    """
    files: list[File]
    """
    Every file of the directory.
    """


class CheckpointRef(Model):
    """
    A checkpoint of a run: a folder from which a later attempt goes on.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Name of the checkpoint within its run: the attempt that made it, and its number there, so that names are in order.
    """
    step: Annotated[int, Field(ge=0)]
    """
    The step that it was made at, as the code says.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of the canonical JSON of the sorted list of [path, size, sha256] of its files.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Bytes of all files together.
    """
    metrics: dict[str, float] | None = None
    """
    Metrics at that step, as the code says.
    """
    manifest: ObjectRef
    """
    The list of its files with their digests, as JSON, which was written last; it is there for as long as the checkpoint is kept.
    """


class CodeRef(Model):
    """
    A version of a package of code, and how it was run.
    """

    package: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Package.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version of the package.
    """
    object: ObjectRef
    """
    Its archive; the SHA-256 is the package's digest.
    """
    entry: str | None = None
    """
    The Python function that was called.
    """
    command: list[str] | None = None
    """
    The program that was started, with its arguments.
    """
    environment: str | None = None
    """
    The lock file of the package that its environment was made from.
    """
    commit: Annotated[str | None, Field(pattern="^[0-9a-f]{40,64}$")] = None
    """
    The commit of git that the folder was at, as its sender says.
    """
    dirty: bool | None = None
    """
    Whether the folder differed from that commit, as its sender says.
    """


class DataWarning(Model):
    """
    Something about accepted data that a person should know.
    """

    check: str
    """
    What noticed it, such as value_changed, missing_suspected or many_categories.
    """
    column: str | None = None
    """
    Column concerned.
    """
    message: str
    """
    What was noticed, and what can be declared.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows concerned; 0 where the column or the file as a whole is.
    """
    first: list[Offence]
    """
    The first places.
    """


class Imported(Model):
    """
    What is known of a version that was made elsewhere and imported.
    """

    import_id: str
    """
    Id of the import.
    """
    format: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What the artifact was found to be.
    """
    source: ObjectRef
    """
    What was imported, as it was sent: one file, or a tar archive of a directory.
    """
    source_name: str | None = None
    """
    Its name, for people.
    """
    producer: str | None = None
    """
    What made it, where the artifact says so.
    """
    largest_difference: float | None = None
    """
    The largest difference between its answers as they are served and those of the artifact's own library, on the compared rows: relative to the size of a number, of a probability absolute. Absent where the artifact itself is served.
    """
    compared_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows on which the two were compared.
    """
    differing_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows of these on which they differ by more than rounding allows, because values are served with the precision of float32.
    """
    claim: str
    """
    Which rows it has learned from, as who imported it says: DATASET@VERSION, `none` of those that it is judged on, or `unknown`. Nobody here can prove it.
    """
    claimed_by: str
    """
    Who says so.
    """


class LearnedRows(Model):
    """
    The rows that a model was fitted on, known by their content.
    """

    object: ObjectRef
    """
    Sorted 64-bit identities, eight bytes each, the least significant byte first.
    """
    columns: list[str]
    """
    The columns whose content makes a row's identity: features and target.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows that the model was fitted on.
    """


class Lineage(Model):
    """
    Where a version comes from: how it was trained here, or what it was imported from.
    """

    run: str | None = None
    """
    Run that made it; absent where it was not trained here.
    """
    dataset: DatasetRef | None = None
    """
    Dataset version that it learned from, where that is known.
    """
    framework: str | None = None
    """
    Framework that fitted it.
    """
    estimator: str | None = None
    """
    Import path of the estimator.
    """
    params: dict[str, Any] | None = None
    """
    Parameters it was made with.
    """
    preparation: list[Prepared] | None = None
    """
    How its columns were prepared for the estimator, the usual steps too.
    """
    seed: Annotated[int | None, Field(ge=0)] = None
    """
    Seed of everything random.
    """
    train_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows it was fitted on.
    """
    unlabelled_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows that were left out because they have no target.
    """
    learned: LearnedRows | None = None
    """
    Which rows it was fitted on: an honest comparison leaves them out. Absent where nobody knows them.
    """
    code_version: str | None = None
    """
    Version of the code that made it.
    """
    packages: dict[str, str] | None = None
    """
    Versions of the packages that matter.
    """
    python: str | None = None
    """
    Version of Python.
    """
    started_at: Timestamp
    """
    When the work on it began: of two versions the one that began later is the newer one.
    """
    seconds: float | None = None
    """
    Seconds that the work took.
    """
    reason: str
    """
    Why it was asked for.
    """
    usage: Usage | None = None
    """
    What the run took, and what that cost.
    """
    promoted_by: str | None = None
    """
    Who had the run of an experiment become a version: an author of it.
    """
    imported: Imported | None = None
    """
    Where it was imported: from what, and how it was taken over.
    """
    code: CodeRef | None = None
    """
    The code of its own that made it, where there was some.
    """


class Manifest(Model):
    """
    The parts of a dataset version, oldest first: those of its segments, in their order, then those that it lists itself. It lies in the object store; an event refers to it. A node has a bounded size, so that a version with one more part costs as much however many there are.
    """

    segments: list[Segment]
    """
    Older parts, in nodes of their own.
    """
    parts: list[Part]
    """
    The parts behind those of the segments.
    """


class ModelVersion(Model):
    """
    One version of a model and where it lies.
    """

    version: Annotated[int, Field(ge=1)]
    """
    Number, counted from 1 per model.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of the artifact.
    """
    artifact: Artifact
    """
    The model directory.
    """
    dataset: DatasetRef | None = None
    """
    Dataset version that it learned from.
    """
    holdout: Holdout | None = None
    """
    Rows of that version that were kept away from its fit.
    """
    learned: LearnedRows | None = None
    """
    Which rows it was fitted on; absent where nobody knows.
    """


class Signature(Model):
    """
    What a model takes and gives.
    """

    task: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What the model predicts, one of the tasks that headrace.tasks knows: how its answers are read, and what can be true.
    """
    inputs: list[Tensor]
    """
    What goes in: for tabular models one tensor a feature column.
    """
    outputs: list[Tensor]
    """
    What comes out, as the task has it: `label` and `probability`, `prediction`, ...
    """
    context: list[Column] | None = None
    """
    Columns that a request may carry beside the inputs: logged and watched, never learned from.
    """
    task_options: dict[str, Any] | None = None
    """
    What the task was told beside its name: the value of each option, as declared or by default.
    """


class DatasetIngested(Event):
    """
    A file kept its contract and is part of a new dataset version.
    """

    TYPE: ClassVar[str] = "headrace.dataset.ingested.v1"
    KEY: ClassVar[str] = "dataset"

    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Dataset.
    """
    version: Annotated[int, Field(ge=1)]
    """
    The new version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of the canonical JSON of [dataset, digest of the version that the part was added to or null, SHA-256 of the part's Parquet file]: what was ingested in which order, wherever it lies.
    """
    mode: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Whether the file was added to the previous version or took its place.
    """
    part: Part
    """
    The part that this version brought.
    """
    parts: Annotated[int, Field(ge=1)]
    """
    Parts in all; with mode `append` one more than the version before has, with `replace` one.
    """
    manifest: ObjectRef
    """
    The list of all parts, oldest first, in the object store: the root of a tree of Manifest documents.
    """
    sealed: Annotated[list[Segment], Field(max_length=16)]
    """
    Nodes of the manifest that were written for this version beside its root; mostly none. So each object in the store is named by the event of the version that brought it.
    """
    rows: Annotated[int, Field(ge=0)]
    """
    Rows in all parts.
    """
    columns: list[Column]
    """
    Columns, in the order of the file.
    """
    contract: list[ColumnRule]
    """
    The contract it was checked against.
    """
    contract_by: list[str] | None = None
    """
    Who set the contract, by hand or by declaring a model, since the version before: authors of the data.
    """
    facts: list[ColumnFacts] | None = None
    """
    What the new part holds, per column: enough to tell labels from quantities.
    """
    warnings: list[DataWarning] | None = None
    """
    What was taken, but may not be what was meant: values changed by their type, columns dropped or renamed, values that look missing.
    """


class EvaluationRequested(Event):
    """
    A version must be judged, beside the champion where there is one.
    """

    TYPE: ClassVar[str] = "headrace.evaluation.requested.v1"
    KEY: ClassVar[str] = "model"

    evaluation: str
    """
    Id of the evaluation.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    candidate: ModelVersion
    """
    The version to judge.
    """
    champion: ModelVersion | None = None
    """
    The version it must meet.
    """
    dataset: DatasetRef
    """
    Whose rows they are judged on.
    """
    holdout: Holdout
    """
    Which of its rows.
    """
    target: str
    """
    Target column.
    """
    metrics: list[str]
    """
    Metrics to compute.
    """
    confidence: float
    """
    Confidence of the interval, such as 0.95.
    """
    resamples: Annotated[int, Field(ge=0)]
    """
    Bootstrap resamples.
    """
    seed: Annotated[int, Field(ge=0)]
    """
    Seed of the bootstrap.
    """


class ImportCompleted(Event):
    """
    A model that was made elsewhere can answer here; nothing is deployed yet.
    """

    TYPE: ClassVar[str] = "headrace.import.completed.v1"
    KEY: ClassVar[str] = "model"

    import_id: str
    """
    Id of the import.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    imported: Imported
    """
    What it was, and how it was taken over.
    """
    artifact: Artifact
    """
    The model directory.
    """
    signature: Signature
    """
    What the model takes and gives.
    """
    features: list[Column]
    """
    Columns that it takes, in order.
    """
    target: str
    """
    Target column.
    """
    dataset: DatasetRef
    """
    Dataset version that judges it.
    """
    holdout: Holdout
    """
    Which rows of that version judge it.
    """
    metrics: dict[str, float]
    """
    Metrics on them.
    """
    reference: ObjectRef
    """
    Parquet sample of the rows: features, context columns and target by their names, and `headrace:prediction`, the model's answer: what drift is measured against.
    """
    learned_from: DatasetRef | None = None
    """
    Dataset version that it has learned from, as who imported it says.
    """
    learned: LearnedRows | None = None
    """
    Which rows it has learned from, as who imported it says; absent where nobody knows.
    """
    framework: str | None = None
    """
    Framework that fitted it, where the artifact says so.
    """
    estimator: str | None = None
    """
    What was fitted, where the artifact says so.
    """
    code_version: str
    """
    Version of the code that took it over.
    """
    packages: dict[str, str]
    """
    Versions of the packages that took it over.
    """
    python: str
    """
    Version of Python.
    """
    declared_revision: Annotated[int, Field(ge=0)]
    """
    Revision of the declaration it followed.
    """
    started_at: Timestamp
    """
    When the work on it began.
    """
    seconds: float
    """
    Seconds it took.
    """
    reason: str
    """
    Why it was asked for.
    """
    requested_by: str
    """
    Who asked: an author of the version.
    """
    warnings: list[str] | None = None
    """
    What who imported it should look at.
    """


class TrainingCheckpointed(Event):
    """
    A checkpoint of a run is whole in the object store: an attempt after a loss goes on from there.
    """

    TYPE: ClassVar[str] = "headrace.training.checkpointed.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    attempt: Annotated[int, Field(ge=1)]
    """
    The attempt that made it; a run has another one for each worker that it lost.
    """
    checkpoint: CheckpointRef
    """
    The checkpoint.
    """
    removed: list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]] | None = None
    """
    Names of earlier checkpoints of the run that are kept no longer.
    """


class TrainingCompleted(Event):
    """
    A run ended with a usable model; nothing is deployed yet.
    """

    TYPE: ClassVar[str] = "headrace.training.completed.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    dataset: DatasetRef
    """
    What it learned from.
    """
    artifact: Artifact
    """
    The model directory.
    """
    signature: Signature
    """
    What the model takes and gives.
    """
    framework: str
    """
    Framework.
    """
    estimator: str
    """
    Import path of the estimator.
    """
    params: dict[str, Any]
    """
    Parameters it was made with.
    """
    preparation: list[Prepared] | None = None
    """
    How its columns were prepared for the estimator, the usual steps too.
    """
    seed: Annotated[int, Field(ge=0)]
    """
    Seed of everything random.
    """
    holdout: Holdout
    """
    Rows kept away from the fit.
    """
    metrics: dict[str, float]
    """
    Metrics on the holdout.
    """
    train_rows: Annotated[int, Field(ge=0)]
    """
    Rows it was fitted on.
    """
    code_version: str
    """
    Version of the code that trained it.
    """
    packages: dict[str, str]
    """
    Versions of the packages that matter.
    """
    python: str
    """
    Version of Python.
    """
    reference: ObjectRef
    """
    Parquet sample of the rows: features, context columns and target by their names, and `headrace:prediction`, the model's answer for rows that it has not learned from (null for the others): what drift is measured against.
    """
    features: list[Column]
    """
    Feature columns, in order.
    """
    target: str
    """
    Target column.
    """
    declared_revision: Annotated[int, Field(ge=0)]
    """
    Revision of the declaration it followed.
    """
    started_at: Timestamp
    """
    When the run began to work.
    """
    seconds: float
    """
    Seconds it worked.
    """
    reason: str
    """
    Why it was asked for.
    """
    requested_by: str
    """
    Who asked.
    """
    unlabelled_rows: Annotated[int | None, Field(ge=0)] = None
    """
    Rows that were left out because they have no target.
    """
    learned: LearnedRows | None = None
    """
    Which rows it was fitted on: an honest comparison leaves them out.
    """
    warnings: list[str] | None = None
    """
    What the author should look at: warnings of the library, rows that were left out, features that were left out or decide the target alone.
    """
    usage: Usage | None = None
    """
    What it took, and what that cost.
    """
    experiment: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = (
        None
    )
    """
    Experiment that the run belongs to: it makes no version. Absent once it is promoted, and then this event is said anew.
    """
    promoted_by: str | None = None
    """
    Who had a run of an experiment become a version: an author of it beside who asked for the run.
    """
    code: CodeRef | None = None
    """
    The code of its own that made the model, where there was some.
    """
    reproduction: Reproduction | None = None
    """
    Of a run that was to make a version again: whether it did.
    """
    search: SearchResult | None = None
    """
    The search that found the parameters, where there was one.
    """


class TrainingPreempted(Event):
    """
    A run gave its place to another one of higher priority; it waits again, and goes on from its last checkpoint.
    """

    TYPE: ClassVar[str] = "headrace.training.preempted.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run that gave way.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Its model.
    """
    attempt: Annotated[int, Field(ge=1)]
    """
    The attempt that was ended.
    """
    priority: int
    """
    Its priority, from -10 to 10.
    """
    for_run: str
    """
    Id of the run that its place is for.
    """
    for_model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model of that run.
    """
    for_priority: int
    """
    Priority of that run, from -10 to 10.
    """
    checkpoint: CheckpointRef
    """
    The checkpoint that it goes on from.
    """
    in_time: bool
    """
    Whether that checkpoint was made because it was asked for; else the time for it was over, and an earlier one counts.
    """


class TrainingStarted(Event):
    """
    A run began to work.
    """

    TYPE: ClassVar[str] = "headrace.training.started.v1"
    KEY: ClassVar[str] = "model"

    run: str
    """
    Id of the run.
    """
    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    dataset: DatasetRef
    """
    What it learns from.
    """
    framework: str
    """
    Framework, such as sklearn.
    """
    estimator: str
    """
    Import path of the estimator.
    """
    params: dict[str, Any]
    """
    Its parameters.
    """
    seed: Annotated[int, Field(ge=0)]
    """
    Seed of everything random.
    """
    experiment: Annotated[str | None, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = (
        None
    )
    """
    Experiment that the run belongs to: it makes no version until it is promoted.
    """
    code: CodeRef | None = None
    """
    The code of its own that it runs, where it does.
    """
    logs: ObjectFolder | None = None
    """
    Where what its code prints is kept, piece by piece in the order of the keys.
    """
    attempt: Annotated[int | None, Field(ge=1)] = None
    """
    Which attempt this is, where a run of its own code begins again because its worker was lost; the first time it says none.
    """
    resumed_from: CheckpointRef | None = None
    """
    The checkpoint that this attempt goes on from; none where it begins anew.
    """
    warnings: list[str] | None = None
    """
    What the author should know of this attempt, such as a checkpoint that is damaged and was passed over.
    """


class VersionRegistered(Event):
    """
    A model has a new version. This is all that anybody needs to judge, serve, watch or trace it, wherever it comes from.
    """

    TYPE: ClassVar[str] = "headrace.version.registered.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Its number.
    """
    origin: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
    """
    Where it comes from: `trained` here, `imported`, or served `elsewhere`.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact: approvals, routes and answers are bound to it.
    """
    artifact: Artifact | None = None
    """
    The model directory; absent where it is served elsewhere.
    """
    signature: Signature
    """
    What it takes and gives, with its labels.
    """
    task: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it does, in the words of the declaration.
    """
    features: list[Column]
    """
    Columns that it takes, in order.
    """
    target: str
    """
    Column that it predicts.
    """
    dataset: DatasetRef
    """
    Dataset version whose held-out rows it is judged on.
    """
    holdout: Holdout
    """
    Which rows of that dataset version those are.
    """
    metrics: dict[str, float]
    """
    Metrics on them.
    """
    reference: ObjectRef | None = None
    """
    Parquet sample of rows: features, context columns and target by their names, and `headrace:prediction`, the version's answer for rows that it has not learned from (null for the others): what drift is measured against. Absent where there is none: then no drift is measured.
    """
    lineage: Lineage
    """
    How it came to be.
    """
    declared_revision: Annotated[int, Field(ge=0)]
    """
    Revision of the declaration that it is bound to.
    """
    registered_by: str
    """
    Who asked for it: an author of the version.
    """
    warnings: list[str] | None = None
    """
    What the author should look at: warnings of the library, rows that were left out, features that were left out or decide the target alone.
    """


class Contract(Model):
    """
    What the data promise.
    """

    columns: Annotated[list[ColumnRule] | None, Field(min_length=1)] = None
    """
    Columns; default: inferred from the first file, read as the rest of the contract says.
    """
    missing: list[str] | None = None
    """
    Values that mean missing in every column, besides the usual ones, such as ?, n/a or -999.
    """
    formats: dict[str, str] | None = None
    """
    How columns of timestamps are written, in strptime's directives, such as day: '%d/%m/%Y'; default: ISO 8601.
    """
    dialect: Dialect | None = None
    """
    How a CSV file is written.
    """


class Training(Model):
    """
    How the model is trained.
    """

    framework: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = "sklearn"
    """
    One of the frameworks that headrace.frameworks knows.
    """
    estimator: str | None = None
    """
    Import path of the estimator; default: a gradient-boosted tree for the task.
    """
    params: dict[str, Any] = {}
    """
    Parameters of the estimator.
    """
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """
    How much the rows of each label count when the model learns, by label; `balanced` makes all labels count the same. A label that is not named counts 1.
    """
    monotone: dict[str, int] | None = None
    """
    By feature: 1 where the answer (of two labels the probability of the positive one) may only rise with it, -1 where it may only fall.
    """
    early_stopping: EarlyStopping | None = None
    """
    Stop when rows that are not learned from no longer gain; default: never.
    """
    preparation: Preparation | None = None
    """
    How columns are prepared for the estimator; default: the usual steps for its kind.
    """
    seed: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """
    Seed of everything random.
    """
    timeout: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "PT30M"
    """
    Longest time a run may work, ISO 8601 duration.
    """
    priority: int | str = "normal"
    """
    Which runs go first where they wait: low, normal, high, urgent, or a whole number from -10 to 10. A run that waits rises; a higher one may take the place of a lower one that has checkpoints.
    """
    resources: Resources = Field(default_factory=Resources)
    """
    What a run takes.
    """
    on: list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]] = ["new-data"]
    """
    What starts a run by itself.
    """
    code: OwnCode | None = None
    """
    Code of your own in the place of an estimator; the framework is `code` then.
    """
    search: Search | None = None
    """
    Search for the best parameters first; default: train with `params` as they are.
    """


class Serving(Model):
    """
    How traffic moves to a new version.
    """

    strategy: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = "canary"
    """
    In steps, at once, or beside the champion without answering.
    """
    steps: Annotated[list[int], Field(min_length=1)] = [10, 50, 100]
    """
    Percent of the traffic at each step; the last is 100.
    """
    bake: Annotated[
        str,
        Field(
            pattern="^P(\\d+[YMWD])+(T(\\d+(\\.\\d+)?[HMS])+)?$|^PT(\\d+(\\.\\d+)?[HMS])+$"
        ),
    ] = "PT30S"
    """
    How long each step is watched, ISO 8601 duration.
    """
    max_error_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    """
    Share of failed requests that undoes the rollout.
    """
    max_p99_ms: Annotated[float, Field(gt=0.0, le=3600000.0)] = 250
    """
    99th percentile of the time to answer, milliseconds, that undoes it.
    """
    shadow: ShadowPolicy = Field(default_factory=ShadowPolicy)
    """
    How much a shadow may differ from the champion before it takes over by itself.
    """


class Route(Model):
    """
    One version's part in a model's traffic.
    """

    role: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    What it is in the route table.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    artifact: Artifact
    """
    Where it lies.
    """
    signature: Signature
    """
    What it takes and gives.
    """
    percent: Annotated[int, Field(ge=0)]
    """
    Share of the requests it answers, 0 to 100; a shadow's is the share it is shown.
    """


class AliasMoved(Event):
    """
    An alias points to another version.
    """

    TYPE: ClassVar[str] = "headrace.alias.moved.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    alias: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Alias, such as champion.
    """
    version: Annotated[int, Field(ge=1)]
    """
    Version it points to now.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    Digest of its artifact.
    """
    artifact: Artifact
    """
    Where it lies.
    """
    signature: Signature
    """
    What it takes and gives.
    """
    previous: Annotated[int | None, Field(ge=1)] = None
    """
    Version it pointed to before.
    """
    reason: str
    """
    Why.
    """
    by: str
    """
    Who moved it.
    """
    serving: Serving
    """
    How the declaration wants it rolled out.
    """
    approvals: list[Approval] | None = None
    """
    Who approved the move, where people decided it.
    """


class RouteChanged(Event):
    """
    The whole route table of a model, as it is from now on.
    """

    TYPE: ClassVar[str] = "headrace.route.changed.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    revision: Annotated[int, Field(ge=1)]
    """
    Revision, counted from 1; a higher one replaces a lower one.
    """
    routes: list[Route]
    """
    Every version with a part in the traffic.
    """


class Data(Model):
    """
    What the model learns from.
    """

    dataset: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Name of the dataset.
    """
    target: str
    """
    Column to predict.
    """
    time: str | None = None
    """
    Column that orders the rows in time.
    """
    weight: str | None = None
    """
    Column that says how much each row counts when the model learns: a number from 0 on. It is no feature.
    """
    features: list[str] | None = None
    """
    Feature columns; default: all but target, time and ignore.
    """
    ignore: list[str] = []
    """
    Columns that are no features.
    """
    groups: list[str] = []
    """
    Columns whose groups are watched for fairness.
    """
    context: list[str] = []
    """
    Columns that requests may carry and that are logged and watched, but never learned from; `groups` that are no features are among them.
    """
    positive: int | float | str | bool | None = None
    """
    Of two labels the one that figures and `probability` are about; default: the greater one, as text in the order of its letters.
    """
    contract: Annotated[Literal["infer"] | Contract, Field(validate_default=True)] = (
        "infer"
    )
    """
    What the data must keep: `infer` takes it from the first file.
    """


class Declaration(Model):
    """
    Everything that Headrace needs to know about one model. Only name, data.dataset and data.target must be said.
    """

    kind: Literal["Model"] = "Model"
    """
    What is declared.
    """
    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Name of the model; part of subjects and URLs.
    """
    task: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")] = "binary"
    """
    What the model predicts, one of the tasks that headrace.tasks knows; default: the first one that takes what the target's column holds, where the dataset is known.
    """
    task_options: dict[str, Any] | None = None
    """
    What the task is told beside its name; which options a task has, headrace.tasks knows.
    """
    owner: Owner = Field(default_factory=Owner)
    """
    Who answers for the model.
    """
    purpose: str = ""
    """
    What the model is for, in the words of its users.
    """
    risk: Risk = Field(default_factory=Risk)
    """
    What a wrong answer can do.
    """
    data: Data
    """
    What the model learns from.
    """
    training: Training = Field(default_factory=Training)
    """
    How it is trained, and when by itself.
    """
    evaluation: Evaluation = Field(default_factory=Evaluation)
    """
    How it is judged before it may serve.
    """
    approval: ApprovalPolicy = Field(default_factory=ApprovalPolicy)
    """
    Which people must say yes.
    """
    serving: Serving = Field(default_factory=Serving)
    """
    How traffic moves to a new version.
    """
    monitoring: Monitoring = Field(default_factory=Monitoring)
    """
    How it is watched.
    """
    retraining: Retraining = Field(default_factory=Retraining)
    """
    When it is trained again by itself.
    """


class ChangeProposed(Event):
    """
    A change waits for people, because it loosens a policy that needs their approval, or moves an alias that serves.
    """

    TYPE: ClassVar[str] = "headrace.change.proposed.v1"
    KEY: ClassVar[str] = "model"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    change: str
    """
    Id of the change.
    """
    kind: Annotated[str, Field(pattern="^[a-z][a-z_]{0,30}$")]
    """
    What would change: `declaration`, or `alias` for a move of an alias that serves.
    """
    base_revision: Annotated[int, Field(ge=1)]
    """
    Revision of the declaration that it would change.
    """
    loosens: list[str]
    """
    What it would loosen, each with the old and the new value; empty for an alias.
    """
    changed: list[str]
    """
    Paths of the declaration that would change.
    """
    declaration: Declaration | None = None
    """
    The whole proposed declaration.
    """
    alias: str | None = None
    """
    Alias that would move.
    """
    version: Annotated[int | None, Field(ge=1)] = None
    """
    Version that it would point to.
    """
    digest: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    """
    Digest of that version's artifact.
    """
    reason: str | None = None
    """
    Why, in the words of who proposes it.
    """
    by: str
    """
    Who proposes it; never counts as an approval of a declaration.
    """
    needed: Annotated[int, Field(ge=0)]
    """
    Approvals needed.
    """
    given: Annotated[int, Field(ge=0)]
    """
    Approvals given so far.
    """
    expires_at: Timestamp
    """
    When the proposal lapses.
    """


class ModelDeclared(Event):
    """
    A model's declaration is new or has changed.
    """

    TYPE: ClassVar[str] = "headrace.model.declared.v1"
    KEY: ClassVar[str] = "name"

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
    """
    Model.
    """
    revision: Annotated[int, Field(ge=1)]
    """
    Revision, counted from 1.
    """
    declaration: Declaration
    """
    The whole declaration, defaults filled in.
    """
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """
    SHA-256 of its canonical JSON.
    """
    changed: list[str]
    """
    Paths that changed since the previous revision.
    """
    by: str
    """
    Who declared it.
    """
    loosens: list[str] | None = None
    """
    What it loosened of the revision before, each with the old and the new value.
    """
    approvals: list[Approval] | None = None
    """
    Who approved it, where it loosened a policy that needs approvals.
    """


EVENTS: dict[str, type[Event]] = {
    "headrace.alert.raised.v1": AlertRaised,
    "headrace.alias.moved.v1": AliasMoved,
    "headrace.approval.recorded.v1": ApprovalRecorded,
    "headrace.approval.requested.v1": ApprovalRequested,
    "headrace.change.approved.v1": ChangeApproved,
    "headrace.change.proposed.v1": ChangeProposed,
    "headrace.change.rejected.v1": ChangeRejected,
    "headrace.checkpoint.signed.v1": CheckpointSigned,
    "headrace.code.pushed.v1": CodePushed,
    "headrace.dataset.ingested.v1": DatasetIngested,
    "headrace.dataset.rejected.v1": DatasetRejected,
    "headrace.drift.detected.v1": DriftDetected,
    "headrace.evaluation.completed.v1": EvaluationCompleted,
    "headrace.evaluation.failed.v1": EvaluationFailed,
    "headrace.evaluation.requested.v1": EvaluationRequested,
    "headrace.fairness.breached.v1": FairnessBreached,
    "headrace.import.cancelled.v1": ImportCancelled,
    "headrace.import.completed.v1": ImportCompleted,
    "headrace.import.failed.v1": ImportFailed,
    "headrace.import.queued.v1": ImportQueued,
    "headrace.integrity.violated.v1": IntegrityViolated,
    "headrace.message.replayed.v1": MessageReplayed,
    "headrace.model.declared.v1": ModelDeclared,
    "headrace.performance.degraded.v1": PerformanceDegraded,
    "headrace.prediction.logged.v1": PredictionLogged,
    "headrace.replica.loaded.v1": ReplicaLoaded,
    "headrace.replica.reported.v1": ReplicaReported,
    "headrace.request.cancel.v1": CancelRequested,
    "headrace.request.decision.v1": DecisionGiven,
    "headrace.request.declaration.v1": DeclarationRequested,
    "headrace.request.import.v1": ImportRequested,
    "headrace.request.ingest.v1": IngestRequested,
    "headrace.request.promotion.v1": PromotionRequested,
    "headrace.request.refused.v1": RequestRefused,
    "headrace.request.reproduction.v1": ReproductionRequested,
    "headrace.request.rollout.v1": RolloutRequested,
    "headrace.request.training.v1": TrainingRequested,
    "headrace.request.truth.v1": TruthReported,
    "headrace.risk.reviewed.v1": RiskReviewed,
    "headrace.rollout.advanced.v1": RolloutAdvanced,
    "headrace.rollout.completed.v1": RolloutCompleted,
    "headrace.rollout.rolled_back.v1": RolloutRolledBack,
    "headrace.rollout.started.v1": RolloutStarted,
    "headrace.route.changed.v1": RouteChanged,
    "headrace.training.cancelled.v1": TrainingCancelled,
    "headrace.training.checkpointed.v1": TrainingCheckpointed,
    "headrace.training.completed.v1": TrainingCompleted,
    "headrace.training.failed.v1": TrainingFailed,
    "headrace.training.preempted.v1": TrainingPreempted,
    "headrace.training.progressed.v1": TrainingProgressed,
    "headrace.training.queued.v1": TrainingQueued,
    "headrace.training.started.v1": TrainingStarted,
    "headrace.version.approved.v1": VersionApproved,
    "headrace.version.registered.v1": VersionRegistered,
    "headrace.version.rejected.v1": VersionRejected,
    "headrace.window.evaluated.v1": WindowEvaluated,
    "headrace.window.scheduled.v1": WindowScheduled,
}
