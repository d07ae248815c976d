"""What the trainer can be told from outside."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from headrace.chassis import ServiceSettings
from headrace.code.archive import Limits
from headrace.objects import ObjectSettings

_MIB = 1 << 20


class RaySettings(BaseModel):
    """Where Ray is, and how many workers are kept."""

    model_config = ConfigDict(frozen=True)

    address: str | None
    join: bool
    token_file: Path | None
    namespace: str
    local_cpus: int
    warm_workers: int
    warm_worker_cpus: float
    warm_up: bool
    job_memory_mb: int
    recycle_mb: int

    def environment(self) -> dict[str, str]:
        """How Ray's own processes are told of the token, and that a Ray of our own stays on loopback.

        Ray takes 127.0.0.1 for the machine's outward address, and listens on every one, unless it is told that there
        is no cluster of several machines.
        """
        alone = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"} if self.address is None else {}
        if self.token_file is None:
            return alone
        return {**alone, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token_file.absolute())}

    def gateway_config(self, objects: str) -> str:
        """One line of JSON for the Ray driver; the fingerprint tells workers with other settings apart."""
        told = {
            "namespace": self.namespace,
            "address": self.address,
            "join": self.join,
            "local_cpus": self.local_cpus,
            "objects": objects,
            "job_bytes": self.job_memory_mb * _MIB,
            "recycle_bytes": self.recycle_mb * _MIB,
            "warm": self.warm_workers,
            "warm_cpus": self.warm_worker_cpus,
            "warm_up": self.warm_up,
        }
        return json.dumps({**told, "fingerprint": hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]})


class TrainerSettings(ServiceSettings):
    """The trainer's own settings beside every service's."""

    ray_address: str | None = None  # unset: a Ray of its own, which ends with the trainer
    ray_join: bool = False  # the head runs elsewhere: this machine joins its cluster, as a node that offers nothing
    ray_token_file: Path | None = None
    ray_namespace: str = "headrace"
    ray_local_cpus: int = 2  # of a Ray of its own: the smallest machine we promise to run on

    capacity: int = Field(default=2, ge=1)  # runs at a time; more only share the same CPUs
    evaluations: int = Field(default=1, ge=1)  # evaluations at a time, beside the runs
    evaluation_timeout: timedelta = timedelta(minutes=30)  # of one attempt; a million rows take two minutes
    warm_workers: int = 1  # idle workers with everything imported (250 MB each): a small run starts in 5 ms, not 3 s
    warm_worker_cpus: float = (
        0  # Ray CPUs a warm worker holds for ever; more than 0 puts it on a worker node of a cluster
    )
    warm_up: bool = (
        True  # whether a worker fits a toy with every framework before it waits for work: the first run saves 2 s
    )
    run_memory_mb: int = 4096  # beyond what the worker has; a declaration's training.resources.memory_mb lowers it
    recycle_mb: int = 1024  # a worker that stays this big after a job is replaced by a fresh one

    prices_file: Path | None = None  # what an hour of a processor costs, as YAML; unset: runs tell no cost
    quotas_file: Path | None = None  # what each owner may have at work at once, as YAML; unset: no limits
    priority_aging: timedelta = timedelta(minutes=30)  # a waiting run rises by one: low meets urgent after 7.5 h
    preemption_grace: timedelta = timedelta(minutes=1)  # for the checkpoint of a run that is to make room
    imports: int = Field(default=1, ge=1)  # imports at a time, beside runs and evaluations
    import_timeout: timedelta = timedelta(minutes=15)  # of one import over all attempts; most take seconds
    import_mb: int = Field(default=2048, ge=1)  # an artifact may have; one ONNX graph holds no more

    poll_every: timedelta = timedelta(milliseconds=50)  # while something runs: a twentieth of the quickest run
    look_every: timedelta = timedelta(seconds=1)  # while nothing does: a backstop, changes wake the loop at once

    models_bucket: str = "models"
    code_files: int = Field(default=2_000, ge=1)  # of a package: code and small files; data belong into a dataset
    code_disk_mb: int = Field(default=10_240, ge=1)  # that a run of own code may have written at a time
    code_processes: int = Field(default=256, ge=1)  # and threads, that it may have at a time
    checkpoints: int = Field(default=3, ge=1)  # of a run that are kept: one may be damaged, one may be being replaced
    checkpoints_for: timedelta = timedelta(days=7)  # once a run has ended without a model; a completed one needs none
    code_network: bool = True  # whether it may reach the network
    code_mb: int = Field(default=64, ge=1)  # of all files of a package together
    objects: ObjectSettings = Field(default_factory=ObjectSettings)

    @property
    def code_limits(self) -> Limits:
        """How large a package of code may be."""
        return Limits(files=self.code_files, size=self.code_mb * _MIB)

    @property
    def largest_import(self) -> int:
        """Bytes that an artifact may have."""
        return self.import_mb * _MIB

    @property
    def objects_for_workers(self) -> str:
        """How workers reach the object store, as JSON: they run where the trainer's environment is not."""
        return self.objects.model_dump_json()

    @property
    def ray(self) -> RaySettings:
        """What compute needs of these."""
        return RaySettings(
            address=self.ray_address,
            join=self.ray_join,
            token_file=self.ray_token_file,
            namespace=self.ray_namespace,
            local_cpus=self.ray_local_cpus,
            warm_workers=self.warm_workers,
            warm_worker_cpus=self.warm_worker_cpus,
            warm_up=self.warm_up,
            job_memory_mb=self.run_memory_mb,
            recycle_mb=self.recycle_mb,
        )
