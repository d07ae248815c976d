"""Paths, bundles and the shape of tiles, as C2SP tlog-tiles words them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.tlog import Edge, TileId, decode_bundle, encode_bundle, leaf_hash, parse_tile_path, tile_path
from headrace.tlog.tiles import bundle_path, last_tiles, split_hashes, tile_width


def test_numbers_are_written_in_groups_of_three() -> None:
    """The example of the specification: tile 1234067."""
    assert tile_path(TileId(0, 1234067)) == "tile/0/x001/x234/067"
    assert tile_path(TileId(2, 7), 12) == "tile/2/007.p/12"
    assert bundle_path(1000) == "tile/entries/x001/000"


@given(st.integers(0, 10**9), st.integers(0, 63), st.integers(1, 256))
def test_a_path_is_read_as_it_was_written(number: int, level: int, width: int) -> None:
    """Every tile has one path, and every path one tile."""
    path = tile_path(TileId(level, number), width).removeprefix("tile/")
    assert parse_tile_path(path) == (level, number, width)
    assert parse_tile_path(bundle_path(number, width).removeprefix("tile/")) == (None, number, width)


@pytest.mark.parametrize("path", ["0/1", "0/001/002", "0/x000/001", "0/000.p/256", "0/000.p/0", "a/000", "../0/000"])
def test_another_spelling_is_no_tile(path: str) -> None:
    """A second spelling of a path would be a second object for the same tile."""
    with pytest.raises(ValueError):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=400), max_size=40))
def test_bundles_give_back_their_entries(entries: list[bytes]) -> None:
    """Length-prefixed entries come back byte for byte."""
    assert decode_bundle(encode_bundle(entries)) == entries


def test_a_bundle_cut_short_says_where() -> None:
    """A truncated download is noticed."""
    with pytest.raises(ValueError, match="entry number 1"):
        decode_bundle(encode_bundle([b"one", b"two"])[:-1])


def test_an_entry_beyond_sixteen_bits_is_refused() -> None:
    """Two bytes of length: the format holds hashes, not payloads."""
    with pytest.raises(ValueError, match="65535"):
        encode_bundle([b"x" * 65_536])


def test_growing_tells_each_tile_that_changed() -> None:
    """Full tiles once they are full, partial ones at every level while they grow."""
    edge = Edge()
    leaves = [leaf_hash(b"%d" % i) for i in range(600)]

    first = edge.append(leaves[:10])
    rest = edge.append(leaves[10:])

    assert {t: len(h) for t, h in first.items()} == {TileId(0, 0): 10}
    assert {t: len(h) for t, h in rest.items()} == {
        TileId(0, 0): 256,
        TileId(0, 1): 256,
        TileId(0, 2): 88,
        TileId(1, 0): 2,
    }


def test_widths_follow_from_the_size() -> None:
    """A reader knows how wide each tile is in a tree of a given size."""
    assert tile_width(TileId(0, 2), 600) == 88
    assert tile_width(TileId(1, 0), 600) == 2
    assert tile_width(TileId(0, 3), 600) == 0
    assert list(last_tiles(512)) == [(TileId(0, 2), 0), (TileId(1, 0), 2)]


def test_a_tile_is_whole_hashes() -> None:
    """Half a hash is an error."""
    with pytest.raises(ValueError, match="33 bytes"):
        split_hashes(b"x" * 33)


def test_an_edge_without_its_tile_is_refused() -> None:
    """A writer does not go on from a tile that lost hashes."""
    with pytest.raises(ValueError, match="holds 1 hashes, not 3"):
        Edge.of(3, {TileId(0, 0): b"x" * 32})
