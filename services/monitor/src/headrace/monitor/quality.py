"""Quality of answers against their truth."""

from collections.abc import Sequence

import numpy as np

from headrace.monitor.sample import Sample
from headrace.tasks import METRICS, measured


def quality_of(sample: Sample, names: Sequence[str], minimum: int) -> dict[str, float]:
    """Each metric that can honestly be told, computed as the trainer does.

    There is no figure from fewer than `minimum` rows with truth and answer, from rows that tell nothing (one label
    alone), or where the metric has no value: never a NaN.
    """
    score = sample.score
    if score is None:
        return {}
    known = np.isfinite(sample.truth) & score.known
    truth, judged = sample.truth[known], score.at(known)
    if len(truth) < minimum or not sample.target.tells(truth):
        return {}
    return measured([name for name in names if name in METRICS and score.kind in METRICS[name].of], truth, judged)
