"""Declarations, judged by the tasks and metrics that there are: the one way for HTTP, events and the command line."""

from headrace.contracts import Declaration, KnownDataset
from headrace.contracts import declaration as rules
from headrace.contracts.declaration import Examined, Source
from headrace.tasks.catalog import INSTALLED


def examine(source: Source, dataset: KnownDataset | None = None) -> Examined:
    """A declaration with its defaults filled in, and what in it may surprise; raises ContractError.

    `source` is YAML, JSON, or the parsed document; `dataset` what is known of the dataset that it names.
    """
    return rules.examine(source, INSTALLED, dataset)


def parse_declaration(source: Source, dataset: KnownDataset | None = None) -> Declaration:
    """The same without its warnings."""
    return examine(source, dataset).declaration
