"""The worker as Ray starts it: light to import for who only names it, heavy once it runs."""


class Actor:
    """A `Worker` in a process of its own."""

    def __init__(self, objects: str, job_bytes: int, threads: int) -> None:
        from headrace.trainer.work.warmup import warm_up
        from headrace.trainer.work.worker import Worker

        self._worker = Worker(objects, job_bytes, threads)
        warm_up()

    def begin(self, name: str, job: str) -> bool:
        """See `Worker.begin`."""
        return self._worker.begin(name, job)

    def report(self) -> str | None:
        """See `Worker.report`."""
        return self._worker.report()

    def forget(self) -> int:
        """See `Worker.forget`."""
        return self._worker.forget()
