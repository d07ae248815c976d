"""What a worker is given: everything it needs, resolved, as JSON; and what it tells on the way and at the end."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headrace.contracts import (
    Artifact,
    Baseline,
    CheckpointRef,
    Column,
    Comparison,
    EarlyStopping,
    Holdout,
    ObjectPlace,
    ObjectRef,
    Preparation,
    Prepared,
    Signature,
)

Stage = Literal["loading", "searching", "fitting", "exporting", "scoring", "uploading"]
TrialState = Literal["running", "completed", "stopped", "failed", "cancelled"]
Kind = Literal["code", "memory", "data", "lost", "timeout", "export", "environment", "disk", "answer", "artifact"]


class Spec(BaseModel):
    """A value that crosses processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Spec):
    """A dataset version as a worker reads it: what it is called, and where the list of its parts lies."""

    dataset: str
    digest: str
    manifest: ObjectRef
    parts: int


class Learned(Spec):
    """The rows that a model was fitted on, as a set of identities: by their content in some columns (see `content`)."""

    object: ObjectRef
    columns: Sequence[str]
    rows: int


class Rival(Spec):
    """A version as an evaluation meets it; `learned` is missing where nobody knows what it learned from."""

    version: int
    artifact: Artifact
    learned: Learned | None = None


class CodeJob(Spec):
    """A package of code to run, how, and what it may take."""

    package: str
    version: int
    object: ObjectRef
    entry: str | None = None
    command: Sequence[str] | None = None
    environment: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    checkpoints: int = 3
    """How many checkpoints are kept."""
    checkpoints_seconds: float = 0
    """For how long they are kept once the run has ended without a model."""
    threads: int = 1
    disk_mb: int = 10_240
    processes: int = 256
    network: bool = True


class TrainJob(Spec):
    """Fit one plan on one dataset version."""

    kind: Literal["train"] = "train"
    run: str
    attempt: int
    model: str
    data: Data
    columns: Sequence[str]
    features: Sequence[Column]
    target: str
    task: str
    positive: int | float | str | bool | None = None
    options: dict[str, Any] = {}
    context: Sequence[Column] = ()
    time: str | None
    framework: str
    estimator: str
    params: dict[str, Any]
    preparation: Preparation | None = None
    seed: int
    by: Literal["time", "random"]
    fraction: float
    weight: str | None = None
    class_weight: dict[str, float] | Literal["balanced"] | None = None
    monotone: dict[str, int] = {}
    early_stopping: EarlyStopping | None = None
    grouped_by: str | None = None
    metrics: Sequence[str]
    created: datetime
    bucket: str
    memory_mb: int | None = None
    seconds: float | None = None  # left to it when it begins: clocks of machines differ
    warnings: Sequence[str] = ()
    code: CodeJob | None = None
    judge: CodeJob | None = None
    """The package whose functions compute the metrics, where it is another one than that of the code."""

    @property
    def prefix(self) -> str:
        """Where the run's objects lie: every attempt apart, so that a resumed run meets no half-written artifact."""
        return f"{self.model}/{self.run}/{self.attempt}"

    @property
    def logs(self) -> str:
        """How the keys of the pieces of the run's log begin, over all attempts."""
        return f"{self.model}/{self.run}/logs/"


class EvaluateJob(Spec):
    """Measure a candidate, and a champion where there is one, on the same held-out rows."""

    kind: Literal["evaluate"] = "evaluate"
    evaluation: str
    candidate: Rival
    champion: Rival | None
    data: Data
    columns: Sequence[str]
    holdout: Holdout
    target: str
    metrics: Sequence[str]
    confidence: float
    resamples: int
    seed: int
    seconds: float | None = None  # left to it when it begins: clocks of machines differ


class ImportJob(Spec):
    """Take over an artifact that was made elsewhere, and judge it on one dataset version."""

    kind: Literal["import"] = "import"
    import_id: str
    attempt: int
    model: str
    source: ObjectPlace
    source_name: str
    format: str | None = None
    largest: int
    """Bytes that the artifact may have."""
    data: Data
    columns: Sequence[str]
    features: Sequence[Column]
    """The columns that it may take, in the order of the declaration."""
    context: Sequence[Column] = ()
    target: str
    task: str
    options: dict[str, Any] = {}
    positive: int | float | str | bool | None = None
    whole: bool
    """Whether all rows judge it, and not those alone that the declaration holds out."""
    time: str | None
    by: Literal["time", "random"]
    fraction: float
    grouped_by: str | None = None
    metrics: Sequence[str]
    learned: Data | None = None
    """What it has learned from, as who imports it says."""
    learned_columns: Sequence[str] = ()
    learned_none: bool = False
    """Whether who imports it says that it has learned none of the rows that judge it."""
    order: Sequence[str] | None = None
    outputs: dict[str, str] = {}
    labels: Sequence[int | float | str | bool] | None = None
    judge: CodeJob | None = None
    """The package whose functions compute the metrics, where the task has functions."""
    created: datetime
    bucket: str
    seed: int = 0
    seconds: float | None = None  # left to it when it begins: clocks of machines differ

    @property
    def prefix(self) -> str:
        """Where its objects lie, every attempt apart."""
        return f"{self.model}/{self.import_id}/{self.attempt}"


class Tried(Spec):
    """One trial of a search: what it tries, and what came of it so far."""

    number: int
    """Counted from 1."""
    state: TrialState
    params: dict[str, Any]
    """The searched parameters alone."""
    value: float | None = None
    """The metric that trials are compared by; of one that was stopped early the last value."""
    reached: int | None = None
    """How many steps of its fit (trees) it had made when it was stopped early."""
    because: Kind | None = None
    reason: str | None = None
    seconds: float | None = None


class SearchJob(Spec):
    """Try parameters of a training, many trials on processors of their own; the trials alone, not the training."""

    kind: Literal["search"] = "search"
    train: TrainJob
    space: dict[str, Any]
    """What is tried of each parameter, as it is declared."""
    metric: str
    greater_is_better: bool
    trials: int
    parallel: int
    fraction: float
    """Share of the rows that could be learned from that judges trials."""
    stop_early: bool
    known: Sequence[Tried] = ()
    """Trials of earlier attempts: those that have ended are not done again, those that had begun are done anew."""
    cpus: float = 1
    gpus: float = 0
    """What each trial is given."""
    memory_mb: int
    """What each trial may allocate."""
    seconds: float | None = None  # left to it when it begins: clocks of machines differ


AnyJob = TrainJob | EvaluateJob | ImportJob | SearchJob
Job = Annotated[AnyJob, Field(discriminator="kind")]
JOB: TypeAdapter[AnyJob] = TypeAdapter(Job)


class Checkpointed(Spec):
    """A checkpoint that is whole in the store, and the names of those that are kept no longer."""

    checkpoint: CheckpointRef
    removed: Sequence[str] = ()


class Begun(Spec):
    """From where a later attempt goes on, and what its author should know of that."""

    resumed_from: CheckpointRef | None = None
    earlier: Sequence[CheckpointRef] = ()
    """What else is kept, oldest first: its worker may have been lost before it told of it."""
    warnings: Sequence[str] = ()


class Step(Spec):
    """One word about progress."""

    stage: Stage
    step: int
    of: int
    message: str | None = None
    metrics: dict[str, float] = {}
    checkpointed: Checkpointed | None = None
    begun: Begun | None = None
    tried: Tried | None = None
    urgent: bool = False
    """Whether no later word about the same stage makes up for it."""

    @property
    def progress(self) -> dict[str, Any]:
        """What it says of how far the run is."""
        return self.model_dump(mode="json", exclude={"checkpointed", "begun", "tried", "urgent"})


class Used(Spec):
    """What a job took of its worker."""

    cpu_seconds: float
    peak_memory_mb: float | None = None


class Trained(Spec):
    """What came of a training."""

    kind: Literal["trained"] = "trained"
    artifact: Artifact
    signature: Signature
    holdout: Holdout
    metrics: dict[str, float]
    train_rows: int
    unlabelled_rows: int
    learned: Learned
    reference: ObjectRef
    code_version: str
    packages: dict[str, str]
    python: str
    largest_difference: float
    preparation: Sequence[Prepared] = ()
    warnings: Sequence[str] = ()
    log: str = ""
    used: Used | None = None


class Evaluated(Spec):
    """What came of an evaluation."""

    kind: Literal["evaluated"] = "evaluated"
    rows: int
    candidate: dict[str, float]
    champion: dict[str, float] | None
    comparisons: Sequence[Comparison]
    compared_rows: int | None = None
    baselines: Sequence[Baseline] = ()
    incomparable: str | None = None


class Brought(Spec):
    """What came of an import."""

    kind: Literal["brought"] = "brought"
    format: str
    source: ObjectRef
    producer: str | None
    framework: str | None
    estimator: str | None
    artifact: Artifact
    signature: Signature
    features: Sequence[Column]
    holdout: Holdout
    metrics: dict[str, float]
    reference: ObjectRef
    learned: Learned | None
    largest_difference: float | None
    """None where the artifact itself serves."""
    compared_rows: int
    differing_rows: int
    code_version: str
    packages: dict[str, str]
    python: str
    warnings: Sequence[str] = ()
    log: str = ""
    used: Used | None = None


class Searched(Spec):
    """What came of a search: its best trial, and how many there were that did not get as far."""

    kind: Literal["searched"] = "searched"
    best: Tried
    trials: int
    failed: int
    stopped: int
    warnings: Sequence[str] = ()
    log: str = ""
    used: Used | None = None


class Failure(Spec):
    """Why nothing came of it, for the author of the model."""

    kind: Literal["failure"] = "failure"
    because: Kind
    reason: str
    warnings: Sequence[str] = ()
    log: str = ""
    used: Used | None = None


Outcome = Annotated[Trained | Evaluated | Brought | Searched | Failure, Field(discriminator="kind")]


class Report(Spec):
    """What a worker says when asked: the steps so far, and the outcome once there is one."""

    job: str
    steps: Sequence[Step] = ()
    first: int = 0
    """How many steps there were before these: of a long job the earliest are told no more."""
    outcome: Outcome | None = None


Tell = Callable[[Step], None]
