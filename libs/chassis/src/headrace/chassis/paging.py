"""Listings: every one is a page of at most `limit` items, with a cursor for the page that follows."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

T = TypeVar("T")
R = TypeVar("R")

MOST = 1000  # items of one page
LARGEST = 2**31 - 1  # the largest number that PostgreSQL's integer columns compare with

Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many items.")]
NameCursor = Annotated[str, Query(description="The `next_cursor` of the page before.")]
NumberCursor = Annotated[int | None, Query(ge=0, le=LARGEST, description="The `next_cursor` of the page before.")]


class Asked(BaseModel):
    """Which page of a listing is asked for, of a listing whose cursor is a name."""

    cursor: NameCursor = ""
    limit: Limit = 100


class Page(BaseModel, Generic[T]):
    """Part of a collection; `next_cursor` asks for the part that follows, and is null at the end."""

    items: list[T]
    next_cursor: str | None = None


def page_of(rows: Sequence[R], limit: int, *, show: Callable[[R], T], cursor: Callable[[R], object]) -> Page[T]:
    """The page that begins with `rows`, of which the caller has read up to `limit + 1`.

    The row beyond the limit is not shown: that it exists says that another page follows. `cursor` is the place of a
    row in the order of the listing.
    """
    shown = rows[:limit]
    return Page(
        items=[show(row) for row in shown],
        next_cursor=str(cursor(shown[-1])) if len(rows) > limit else None,
    )
