"""What a replica shows to Prometheus. Counts are kept as plain numbers and put into words only when asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from headrace.inference.route_table import RouteTable
from headrace.inference.stats import BUCKETS, Stats

LABELS = ["model_name", "model_version", "route"]
StatsBook = Mapping[tuple[str, int, str], Stats]


class ReplicaCollector(Collector):
    """Everything about answers, and about what waits for the broker."""

    def __init__(
        self,
        book: StatsBook,
        gauges: Mapping[str, tuple[str, Callable[[], float]]],
        refused: Mapping[int, int],
        tables: Callable[[], Sequence[RouteTable]],
    ) -> None:
        self._book = book
        self._gauges = gauges
        self._refused = refused
        self._tables = tables

    def collect(self) -> Iterator[Metric]:
        """The present figures."""
        yield from self._answers()
        yield self._memory()
        refused = CounterMetricFamily("headrace_inference_refused", "Requests refused, by status.", labels=["status"])
        for status, count in sorted(self._refused.items()):
            refused.add_metric([str(status)], count)
        yield refused
        for name, (about, value) in self._gauges.items():
            yield GaugeMetricFamily(name, about, value=value())

    def _memory(self) -> Metric:
        """Of a model in processes what they hold now, of a graph about its size."""
        memory = GaugeMetricFamily(
            "headrace_inference_model_bytes", "Memory of a version that is loaded.", labels=LABELS
        )
        for table in self._tables():
            for routed in table.routed_versions:
                loaded = routed.loaded
                memory.add_metric([table.model, str(loaded.version), routed.role], loaded.memory_bytes)
        return memory

    def _answers(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("headrace_inference_requests", "Requests answered or failed.", labels=LABELS)
        errors = CounterMetricFamily("headrace_inference_errors", "Requests that a version failed.", labels=LABELS)
        rows = CounterMetricFamily("headrace_inference_rows", "Rows answered.", labels=LABELS)
        seconds = HistogramMetricFamily("headrace_inference_duration_seconds", "Time to answer.", labels=LABELS)
        for (model, version, route), stats in list(self._book.items()):
            labels = [model, str(version), route]
            requests.add_metric(labels, stats.requests)
            errors.add_metric(labels, stats.errors)
            rows.add_metric(labels, stats.rows)
            seconds.add_metric(labels, _buckets(stats), stats.seconds)
        yield from (requests, errors, rows, seconds)


def _buckets(stats: Stats) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(stats.buckets)), strict=True))
