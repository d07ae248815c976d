"""Objects that nobody speaks of: which they are, and that one which is about to be spoken of is not removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headrace.objects import Found, sync
from headrace.objects.orphans import YOUNGEST, References, candidates, remove
from headrace.testkit.s3 import S3

LATER = timedelta(days=8)


def old(objects: S3) -> list[Found]:
    """What is a week old in eight days."""
    return [*candidates(objects.sync, datetime.now(UTC) + LATER, timedelta(days=7))]


def test_references_are_found_however_deep_they_lie() -> None:
    """An object by its key, a directory by its prefix, and neither in another bucket nor by half a name."""
    references = References()
    references.add({"parts": [{"object": {"bucket": "d", "key": "a/1"}}], "artifact": {"bucket": "m", "prefix": "r/1"}})

    assert Found("d", "a/1", 0) in references
    assert Found("m", "r/1/model/model.onnx", 0) in references
    for bucket, key in (("d", "a/2"), ("e", "a/1"), ("m", "r/10/model.onnx"), ("d", "r/1/x")):
        assert Found(bucket, key, 0) not in references


def test_what_is_young_is_nobodys_orphan(objects: S3) -> None:
    """An object comes before its event; an age within which that is usual is refused."""
    objects.sync.put("datasets", b"just written")

    assert not [*candidates(objects.sync, datetime.now(UTC), timedelta(days=7))]
    with pytest.raises(ValueError, match="greater age"):
        [*candidates(objects.sync, datetime.now(UTC), YOUNGEST / 2)]


def test_only_what_services_write_is_looked_at(objects: S3) -> None:
    """What a person put into uploads under a name stays, and the audit log is out of reach."""
    mine = objects.sync.put("uploads", b"mine", key="by-hand/flights.csv")
    tile = objects.sync.put("audit", b"tile", key="tile/0/000")
    written = [objects.sync.put(bucket, b"written") for bucket in ("uploads", "datasets", "models")]

    found = {(each.bucket, each.key) for each in old(objects)}

    assert found == {(ref.bucket, ref.key) for ref in written}
    assert not {(mine.bucket, mine.key), (tile.bucket, tile.key)} & found


def test_an_object_that_is_put_again_is_young_again(
    objects: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event is to come; what was listed before is not removed after, and what is read is the same."""
    file = tmp_path / "file"
    file.write_bytes(b"the same again")
    ref = objects.sync.put("datasets", file, content_type="application/json")
    (listed,) = old(objects)
    objects.sync.put("datasets", file, content_type="application/json")
    assert [each.modified for each in old(objects)] == [listed.modified], "not touched while it is young"

    monkeypatch.setattr(sync, "TOUCHED_AFTER", timedelta(0))
    while [each.modified for each in old(objects)] == [listed.modified]:  # stores count in seconds
        objects.sync.put("datasets", file, content_type="application/json")

    assert not remove(objects.sync, listed)
    assert objects.sync.get(ref) == b"the same again"
    assert objects.sync.client.stat_object(ref.bucket, ref.key).content_type == "application/json"


def test_an_orphan_is_removed_once(objects: S3) -> None:
    """Gone for good, also where versions are kept; once more is no error."""
    ref = objects.sync.put("datasets", b"nobody speaks of it")
    (orphan,) = old(objects)

    assert remove(objects.sync, orphan)
    assert objects.sync.stat(ref.bucket, ref.key) is None
    assert not remove(objects.sync, orphan)
