"""Pages of listings: every item once, and no page behind the last."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from headrace.chassis.paging import MOST, Page, page_of


def listed(numbers: Sequence[int], after: int, limit: int) -> Page[str]:
    """A page as a route makes it: one row more is read than the page shows."""
    rows = [number for number in sorted(numbers) if number > after][: limit + 1]
    return page_of(rows, limit, show=str, cursor=lambda number: number)


@given(st.sets(st.integers(0, 1000), max_size=50), st.integers(1, MOST))
def test_the_cursor_leads_through_every_item_once(numbers: set[int], limit: int) -> None:
    """Whatever the limit; no page but that of an empty listing is empty."""
    pages = [listed([*numbers], -1, limit)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(listed([*numbers], int(cursor), limit))

    assert [int(item) for page in pages for item in page.items] == sorted(numbers)
    assert all(len(page.items) == limit for page in pages[:-1])
    assert pages[-1].items or not numbers


def test_a_last_page_that_is_full_has_no_cursor() -> None:
    """Whoever follows cursors asks for nothing in vain."""
    assert listed([1, 2, 3], 0, 3) == Page(items=["1", "2", "3"], next_cursor=None)
    assert listed([1, 2, 3], 0, 2) == Page(items=["1", "2"], next_cursor="2")
