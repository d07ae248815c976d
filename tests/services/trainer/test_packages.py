"""Packages of code over HTTP: versions, what is refused, and what an event tells of them."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.code.archive import pack, unpack
from headrace.contracts import CodePushed
from headrace.testkit import Harness
from headrace.testkit.s3 import S3


@pytest.fixture
async def on(trainer: Callable[..., Harness], database_url: str) -> AsyncIterator[Harness]:
    """The trainer on each kind of database, with small limits."""
    async with trainer(database_url=database_url, code_files=3, code_mb=1) as harness:
        yield harness


def packed(folder: Path, **files: str) -> bytes:
    """The archive of a folder with these Python files."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return pack(folder, folder.with_suffix(".tar")).archive.read_bytes()


async def push(on: Harness, archive: bytes, **params: Any) -> Any:
    """Send an archive as package `net`."""
    return await on.http.post("/code/net/files", content=archive, params=params)


async def test_a_pushed_folder_is_a_version_that_an_event_tells_of(on: Harness, buckets: S3, tmp_path: Path) -> None:
    """The answer, the event, the pages and the object say the same."""
    commit = "9c1185a5c5e9fc54612808977ee8f548b2258d31"

    answer = await push(on, packed(tmp_path / "net", train="A = 1\n"), commit=commit, dirty=True)

    assert answer.status_code == 201
    told = (await on.heard(CodePushed)).data
    assert (told.package, told.version, told.files, told.size, told.by) == ("net", 1, 1, 6, "key:anonymous")
    assert (told.commit, told.dirty, told.object.sha256) == (commit, True, answer.json()["digest"])
    shown = (await on.http.get("/code/net/versions/1")).json()
    assert shown["members"] == [{"path": "train.py", "size": 6, "program": False}]
    assert (await on.http.get("/code/net")).json() == shown
    (tmp_path / "got.tar").write_bytes(buckets.sync.get(told.object))
    unpack(tmp_path / "got.tar", tmp_path / "out")
    assert (tmp_path / "out/train.py").read_text() == "A = 1\n"


async def test_the_same_files_again_make_no_new_version(on: Harness, tmp_path: Path) -> None:
    """Other files do, and going back to those of before does as well: the newest version is what a name means."""
    first, second = packed(tmp_path / "1", train="A = 1\n"), packed(tmp_path / "2", train="A = 2\n")

    answers = [await push(on, each) for each in (first, first, second, first)]

    assert [each.status_code for each in answers] == [201, 200, 201, 201]
    assert [each.json()["version"] for each in answers] == [1, 1, 2, 3]
    assert answers[0].json() == answers[1].json()
    pages = (await on.http.get("/code/net/versions", params={"limit": 2})).json()
    rest = (await on.http.get("/code/net/versions", params={"cursor": pages["next_cursor"]})).json()
    assert [each["version"] for each in (*pages["items"], *rest["items"])] == [3, 2, 1]
    assert [(each["package"], each["version"]) for each in (await on.http.get("/code")).json()["items"]] == [("net", 3)]


async def test_pushes_at_the_same_time_are_versions_one_after_the_other(on: Harness, tmp_path: Path) -> None:
    """None is lost, and no number is given twice."""
    archives = [packed(tmp_path / str(n), train=f"A = {n}\n") for n in range(4)]

    answers = await asyncio.gather(*(push(on, each) for each in archives))

    assert sorted(each.json()["version"] for each in answers) == [1, 2, 3, 4]


async def test_what_is_no_package_is_refused_and_leaves_nothing(on: Harness, buckets: S3, tmp_path: Path) -> None:
    """Links, text, too many files and too many bytes: with the reason, before anything is stored."""
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as out:
        for name, kind in (("train.py", tarfile.REGTYPE), ("keys", tarfile.SYMTYPE)):
            told = tarfile.TarInfo(name)
            told.type, told.linkname = kind, "/etc/passwd"
            out.addfile(told)
    bad = {
        "keys is no plain file": link.getvalue(),
        "no plain tar archive": b"train me",
        "more than 3 files": packed(tmp_path / "many", **{f"f{n}": "" for n in range(4)}),
        "larger than": packed(tmp_path / "large", train="#" * (2 << 20)),
    }
    before = {each.key for each in buckets.sync.list("models", "sha256/")}

    answers = {why: await push(on, archive) for why, archive in bad.items()}

    assert [each.status_code for each in answers.values()] == [422] * len(answers)
    for why, answer in answers.items():
        assert why in answer.json()["detail"]
    assert {each.key for each in buckets.sync.list("models", "sha256/")} == before
    assert (await on.http.get("/code/net")).status_code == 404
    assert on.all(CodePushed) == []


@pytest.mark.parametrize("path", ["/code/net@2/files", "/code/../files", "/code/Net/files"])
async def test_a_name_that_is_none_is_refused(on: Harness, path: str, tmp_path: Path) -> None:
    """It is a token of subjects and a part of URLs."""
    answer = await on.http.post(path, content=packed(tmp_path / "net", train=""))

    assert answer.status_code in (404, 422)


async def test_where_a_commit_is_no_commit_the_push_is_refused(on: Harness, tmp_path: Path) -> None:
    """What is told as a commit is one of git's names."""
    assert (await push(on, packed(tmp_path / "net", train=""), commit="main")).status_code == 422
