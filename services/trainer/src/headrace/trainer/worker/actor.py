"""The worker as Ray starts it: light to import for who only names it, heavy once it runs."""

import os


class Actor:
    """A `Worker` in a process of its own."""

    def __init__(self, objects: str, job_bytes: int, threads: int, warm: bool) -> None:
        hide_what_is_not_given()
        from headrace.trainer.worker.process import Worker

        self._worker = Worker(objects, job_bytes, threads)
        if warm:  # one that was made for a job has that to do
            from headrace.trainer.worker.warmup import warm_up

            warm_up()

    def begin(self, name: str, job: str) -> bool:
        """See `Worker.begin`."""
        return self._worker.begin(name, job)

    def report(self) -> str | None:
        """See `Worker.report`."""
        return self._worker.report()

    def ask(self, name: str, checkpoint: bool) -> None:
        """See `Worker.ask`."""
        self._worker.ask(name, checkpoint)

    def forget(self) -> int:
        """See `Worker.forget`."""
        return self._worker.forget()


def hide_what_is_not_given() -> None:
    """No GPU for who asked for none: its memory belongs to another run. Ray hides GPUs only from who has some."""
    import ray

    if not ray.get_runtime_context().get_accelerator_ids().get("GPU"):
        os.environ.update(CUDA_VISIBLE_DEVICES="")
