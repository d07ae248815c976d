"""Whether a contract of a dataset can be kept: the one place that decides, for declarations and for ingest."""

import unicodedata
from collections.abc import Iterator

from headrace.contracts.catalogs import CATALOGS, DELIMITERS
from headrace.contracts.cells import TIMESTAMP, format_fault
from headrace.contracts.errors import ContractError, Place, Problem
from headrace.contracts.generated.models import ColumnRule, Contract
from headrace.contracts.names import column_name

ENCODINGS = ("utf-8", "utf-16", "windows-1252", "iso-8859-1", "iso-8859-15")


def contract_problems(contract: Contract, at: Place = ()) -> Iterator[Problem]:
    """What is wrong with a contract itself, whatever the files hold."""
    rules = contract.columns or []
    names = [unicodedata.normalize("NFC", rule.name.strip()) for rule in rules]
    for position, rule in enumerate(rules):
        place = (*at, "columns", position)
        if names[position] in names[:position]:
            yield Problem((*place, "name"), f"{names[position]!r} is there a second time")
        yield from _rule_problems(rule, place)
    yield from _format_problems(contract, names, at)
    yield from _dialect_problems(contract, (*at, "dialect"))


def _rule_problems(rule: ColumnRule, place: Place) -> Iterator[Problem]:
    try:
        column_name(rule.name)
    except ContractError as error:
        yield Problem((*place, "name"), str(error))
    if problem := CATALOGS["column-type"].problem(rule.type):
        yield Problem((*place, "type"), problem)
        return
    if rule.allowed is not None and rule.type not in ("string", "integer", "boolean"):
        yield Problem((*place, "allowed"), "only string, integer and boolean columns have allowed values")
    limits = [limit for limit in (rule.minimum, rule.maximum) if limit is not None]
    if limits and rule.type not in ("integer", "number"):
        yield Problem(place, "only integer and number columns have limits")
    if limits != sorted(limits):
        yield Problem((*place, "minimum"), f"{limits[0]:g} is above the maximum, {limits[1]:g}")
    if rule.format is not None and rule.type != TIMESTAMP:
        yield Problem((*place, "format"), "only timestamp columns have a format")
    elif rule.format is not None and (fault := format_fault(rule.format)):
        yield Problem((*place, "format"), fault)


def _format_problems(contract: Contract, names: list[str], at: Place) -> Iterator[Problem]:
    types = {name: str(rule.type) for name, rule in zip(names, contract.columns or [], strict=True)}
    for name, time_format in (contract.formats or {}).items():
        place = (*at, "formats", name)
        if fault := format_fault(time_format):
            yield Problem(place, fault)
        if types and name not in types:
            yield Problem(place, f"the contract has no column {name!r}; it has {', '.join(names)}")
        elif types and types[name] != TIMESTAMP:
            yield Problem(place, f"{name!r} is declared {types[name]}; only timestamp columns have a format")


def _dialect_problems(contract: Contract, place: Place) -> Iterator[Problem]:
    dialect = contract.dialect
    if dialect is None:
        return
    if dialect.delimiter not in DELIMITERS:
        named = ", ".join(f"{each!r} ({name})" for each, name in DELIMITERS.items())
        yield Problem((*place, "delimiter"), f"{dialect.delimiter!r} separates no values here; known are {named}")
    if dialect.delimiter == dialect.decimal:
        told = f"{dialect.delimiter!r} cannot separate both values and decimals; declare the delimiter, such as ';'"
        yield Problem((*place, "delimiter"), told)
    if dialect.encoding not in ENCODINGS:
        yield Problem((*place, "encoding"), f"{dialect.encoding!r} is not known; known are {', '.join(ENCODINGS)}")
