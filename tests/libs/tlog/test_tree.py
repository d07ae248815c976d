"""The tree against RFC 6962's own definition, and proofs against every size."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.tlog import (
    EMPTY_ROOT,
    Edge,
    TileId,
    Tiles,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tiles_needed,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = [1, 2, 3, 5, 7, 8, 255, 256, 257, 511, 513, 700]


def leaves(count: int) -> list[bytes]:
    """As many different leaf hashes."""
    return [leaf_hash(b"entry %d" % i) for i in range(count)]


def defined_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(defined_root(hashes[:k]), defined_root(hashes[k:]))


def grown(count: int, step: int = 97) -> tuple[Edge, dict[TileId, bytes]]:
    """A tree of `count` entries, grown in steps, with all of its tiles."""
    edge, tiles = Edge(), {}
    for start in range(0, count, step):
        for tile, hashes in edge.append(leaves(count)[start : start + step]).items():
            tiles[tile] = b"".join(hashes)
    return edge, tiles


def test_roots_are_those_of_certificate_transparency() -> None:
    """The published test vectors of RFC 6962 trees hold for every size from one to eight."""
    edge, roots = Edge(), []
    for leaf in CT_LEAVES:
        edge.append([leaf_hash(bytes.fromhex(leaf))])
        roots.append(edge.root().hex())

    assert roots == CT_ROOTS


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    """RFC 6962 defines the root of no entries."""
    assert Edge().root() == EMPTY_ROOT == tree_root(Tiles({}), 0) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", [*SIZES, 65_536, 65_537])
def test_the_edge_and_the_tiles_agree_on_the_root(size: int) -> None:
    """Growing by the edge, reading by tiles and the RFC's recursion give one root."""
    edge, tiles = grown(size, 10_000) if size > 1000 else grown(size)

    assert edge.root() == tree_root(Tiles(tiles), size)
    assert edge.root() == defined_root(leaves(size))


@pytest.mark.parametrize("size", [1, 255, 256, 300, 65_536, 66_000])
def test_an_edge_is_found_again_in_its_tiles(size: int) -> None:
    """A writer that restarts reads its edge from the stored tiles, and goes on as if nothing had been."""
    edge, tiles = grown(size, 20_000)

    again = Edge.of(size, tiles)

    assert again.root() == edge.root()
    more = leaves(40)
    edge.append(more)
    again.append(more)
    assert again.root() == edge.root()


@pytest.mark.parametrize("size", SIZES)
def test_every_entry_has_an_inclusion_proof(size: int) -> None:
    """The proof of each entry leads to the root, and that of another entry does not."""
    edge, tiles = grown(size)
    hashes = leaves(size)

    for index in range(0, size, max(1, size // 29)):
        proof = inclusion_proof(Tiles(tiles), index, size)
        assert verify_inclusion(hashes[index], index, size, proof, edge.root())
        assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, edge.root())
        assert size == 1 or not verify_inclusion(hashes[index], (index + 1) % size, size, proof, edge.root())


@pytest.mark.parametrize("new", SIZES)
def test_every_tree_is_proved_to_continue_its_past(new: int) -> None:
    """For each older size the consistency proof holds, and fails for any other old root."""
    edge, tiles = grown(new)
    for old in range(1, new + 1, max(1, new // 31)):
        old_root = tree_root(Tiles(tiles), old)
        proof = consistency_proof(Tiles(tiles), old, new)
        assert verify_consistency(old, old_root, new, edge.root(), proof)
        assert not verify_consistency(old, leaf_hash(b"x"), new, edge.root(), proof)
        assert not verify_consistency(old, old_root, new, leaf_hash(b"x"), proof)


@given(st.integers(1, 600), st.data())
def test_no_shortened_or_lengthened_proof_holds(size: int, data: st.DataObject) -> None:
    """A proof with a hash too many or too few is refused, whatever the place."""
    edge, tiles = grown(size, 600)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(Tiles(tiles), index, size)
    leaf = leaves(size)[index]

    assert verify_inclusion(leaf, index, size, proof, edge.root())
    assert not verify_inclusion(leaf, index, size, [*proof, leaf], edge.root())
    assert not proof or not verify_inclusion(leaf, index, size, proof[:-1], edge.root())


def test_a_proof_says_beforehand_which_tiles_it_reads() -> None:
    """All tiles of a proof can be fetched in one query."""
    _, tiles = grown(700)
    needed = tiles_needed(lambda t: inclusion_proof(t, 13, 700))

    subset = {tile: tiles[tile] for tile in needed}

    assert TileId(0, 1) not in needed or len(needed) <= 4
    assert inclusion_proof(Tiles(subset), 13, 700) == inclusion_proof(Tiles(tiles), 13, 700)


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 3), (0, 0)])
def test_an_entry_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    """Asking for it says so."""
    with pytest.raises(ValueError, match="not among"):
        inclusion_proof(Tiles({}), index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5)])
def test_consistency_goes_from_an_older_to_a_newer_tree(old: int, new: int) -> None:
    """Nothing, or the future, is no tree to start from."""
    with pytest.raises(ValueError, match="0 < from <= to"):
        consistency_proof(Tiles({}), old, new)


def test_a_tile_that_ends_early_is_named() -> None:
    """A truncated tile is an error that says which, not a wrong proof."""
    with pytest.raises(ValueError, match="tile 0/0 ends before hash 1"):
        tree_root(Tiles({TileId(0, 0): b"\0" * 32}), 2)
