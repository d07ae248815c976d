"""How a folder becomes a package, and what is refused as one, from either side."""

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.code.archive import Limits, Member, examined, normal, pack, unpack
from headrace.code.errors import BadPackage
from headrace.code.selection import select

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside git, with two files and a program."""
    made = tmp_path / "code"
    (made / "lib").mkdir(parents=True)
    (made / "train.py").write_text("def train(context): ...\n")
    (made / "lib" / "rows.py").write_text("ROWS = 1\n")
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    return made


def git(folder: Path, *arguments: str) -> None:
    """A command of git, as somebody who exists nowhere."""
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive of whatever members."""
    with tarfile.open(path, "w") as out:
        for told, content in members:
            told.size = len(content) if told.isreg() else 0
            out.addfile(told, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A member by its name; a link where it leads somewhere."""
    told = tarfile.TarInfo(name)
    told.type, told.linkname = kind, link
    return told


def test_the_same_files_are_the_same_bytes_wherever_and_whenever_they_are_packed(folder: Path, tmp_path: Path) -> None:
    """Neither times nor owners nor the order of the folder nor its place is in the digest; a changed byte is."""
    first = pack(folder, tmp_path / "1.tar")
    moved = folder.rename(tmp_path / "elsewhere")
    for each in moved.rglob("*"):
        os.utime(each, (1, 1))

    again = pack(moved, tmp_path / "2.tar")

    assert first.sha256 == again.sha256
    assert first.archive.read_bytes() == again.archive.read_bytes()
    (moved / "train.py").write_text("def train(context): pass\n")
    assert pack(moved, tmp_path / "3.tar").sha256 != first.sha256


def test_what_is_packed_comes_out_again(folder: Path, tmp_path: Path) -> None:
    """Every file with its content, and programs as programs."""
    packed = pack(folder, tmp_path / "1.tar")

    members = unpack(packed.archive, tmp_path / "out")

    assert [each.path for each in members] == ["lib/rows.py", "run.sh", "train.py"]
    assert (tmp_path / "out/lib/rows.py").read_text() == "ROWS = 1\n"
    assert os.access(tmp_path / "out/run.sh", os.X_OK)
    assert not (tmp_path / "out/train.py").stat().st_mode & 0o111
    assert packed.size == sum(each.size for each in members)


def test_git_says_what_belongs_to_the_package_and_where_it_was(folder: Path, tmp_path: Path) -> None:
    """Ignored files stay out, new ones come along, and a difference from the commit is told."""
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("*.secret\n")
    (folder / "key.secret").write_text("no")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")

    clean = pack(folder, tmp_path / "1.tar")
    (folder / "new.py").write_text("NEW = 1\n")
    (folder / "train.py").unlink()
    changed = pack(folder, tmp_path / "2.tar")

    assert clean.commit is not None
    assert (len(clean.commit), clean.dirty) == (40, False)
    assert (changed.commit, changed.dirty) == (clean.commit, True)
    assert {each.path for each in clean.members} == {".gitignore", "lib/rows.py", "run.sh", "train.py"}
    assert {each.path for each in changed.members} == {".gitignore", "lib/rows.py", "run.sh", "new.py"}


def test_a_folder_inside_a_repository_is_packed_by_itself(folder: Path) -> None:
    """Its files alone, by the rules of the whole repository; without a commit there is none to tell."""
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("lib/*.tmp\n")
    (folder / "lib" / "x.tmp").write_text("no")

    found = select(folder / "lib")

    assert (found.files, found.commit, found.dirty) == (("rows.py",), None, None)


def test_outside_git_a_file_says_what_stays_out(folder: Path) -> None:
    """`.headraceignore`, in the language of `.gitignore`; caches and environments stay out by themselves."""
    for name in ("data/big.csv", "notes.txt", "keep.txt", "__pycache__/train.pyc", ".venv/bin/python"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / ".headraceignore").write_text("data/\n*.txt\n!keep.txt\n")

    assert select(folder).files == (".headraceignore", "keep.txt", "lib/rows.py", "run.sh", "train.py")


def test_without_git_a_repository_is_not_guessed_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it ignores may be secret, so that nothing is packed."""
    git(folder, "init", "--quiet")
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(BadPackage, match="install git"):
        select(folder)


@pytest.mark.parametrize("target", ["/etc/passwd", "train.py", "../elsewhere", "lib"])
def test_a_link_in_a_folder_is_refused_by_its_name(folder: Path, tmp_path: Path, target: str) -> None:
    """Wherever it leads: a link is another file on another machine."""
    (folder / "odd").symlink_to(target)

    with pytest.raises(BadPackage, match=f"odd is a link to {target}"):
        pack(folder, tmp_path / "1.tar")


def test_a_link_that_git_knows_is_refused_too(folder: Path, tmp_path: Path) -> None:
    """And so are files behind a folder that is one."""
    git(folder, "init", "--quiet")
    (folder / "odd").symlink_to("lib")
    git(folder, "add", ".")

    with pytest.raises(BadPackage, match="odd is a link to lib"):
        pack(folder, tmp_path / "1.tar")


def test_a_special_file_is_refused(folder: Path, tmp_path: Path) -> None:
    """A pipe would be read for ever."""
    os.mkfifo(folder / "pipe")

    with pytest.raises(BadPackage, match="pipe is no regular file"):
        pack(folder, tmp_path / "1.tar")


@pytest.mark.parametrize(
    ("limits", "why"),
    [(Limits(files=2), "more than 2 files"), (Limits(size=15), r"larger than 15 bytes at run\.sh")],
)
def test_a_folder_that_is_too_large_is_refused(folder: Path, tmp_path: Path, limits: Limits, why: str) -> None:
    """By its number of files or by their bytes; the archive of such a folder too."""
    with pytest.raises(BadPackage, match=why):
        pack(folder, tmp_path / "1.tar", limits)
    packed = pack(folder, tmp_path / "2.tar")
    with pytest.raises(BadPackage, match=why):
        unpack(packed.archive, tmp_path / "out", limits)
    with pytest.raises(BadPackage, match=f"{why}.*; send less"):
        examined(packed.archive, replace(limits, advice="send less"))


def test_an_empty_folder_is_no_package(tmp_path: Path) -> None:
    """Nor is one in which everything is ignored, nor a folder that is not there."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(BadPackage, match="no file that is not ignored"):
        pack(tmp_path / "empty", tmp_path / "1.tar")
    with pytest.raises(BadPackage, match="is no folder"):
        pack(tmp_path / "nowhere", tmp_path / "1.tar")


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (member("../out.py"), "no path inside"),
        (member("/etc/out.py"), "no path inside"),
        (member("lib/../../out.py"), "no path inside"),
        (member("a\\b.py"), "backslash"),
        (member("a\nb.py"), "cannot be printed"),
        (member("x" * 201), "longer than 200"),
        (member("out.py", tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (member("out.py", tarfile.LNKTYPE, "good.py"), "no plain file"),
        (member("out.py", tarfile.CHRTYPE), "no plain file"),
        (member("out.py", tarfile.FIFOTYPE), "no plain file"),
        (member("good.py"), "twice"),
        (member("good.py/below.py"), "as a file and as a folder"),
    ],
)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(
    tmp_path: Path, hostile: tarfile.TarInfo, why: str
) -> None:
    """Traversal, links, devices and doubles, each by the name of the member."""
    archive = tar(tmp_path / "sent.tar", (member("good.py"), b"1"), (hostile, b"2"))
    (tmp_path / "in").mkdir()

    with pytest.raises(BadPackage, match=why):
        examined(archive)
    assert list((tmp_path / "in").iterdir()) == []
    with pytest.raises(BadPackage, match=why):
        unpack(archive, tmp_path / "in" / "out")

    outside = {each for each in tmp_path.rglob("*") if each.is_file()} - {archive, tmp_path / "in/out/good.py"}
    assert outside == set()


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + b"\0" * 30, b"\0" * 10_240])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, text, gzip (which can grow a thousandfold) and an archive without a file."""
    (tmp_path / "sent.tar").write_bytes(content)

    with pytest.raises(BadPackage, match=r"no plain tar archive|holds no file"):
        unpack(tmp_path / "sent.tar", tmp_path / "out")


def test_an_archive_that_was_cut_is_refused(folder: Path, tmp_path: Path) -> None:
    """In the midst of a file as well as between two."""
    whole = pack(folder, tmp_path / "1.tar").archive.read_bytes()
    for size in (530, 1024, 1100, 1600):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        with pytest.raises(BadPackage, match=r"damaged|no plain tar"):
            unpack(tmp_path / "cut.tar", tmp_path / f"out-{size}")
        with pytest.raises(BadPackage, match=r"damaged|no plain tar"):
            examined(tmp_path / "cut.tar")


def test_what_an_archive_holds_is_known_without_unpacking_it(folder: Path, tmp_path: Path) -> None:
    """Its headers say names, sizes and which file is a program; a file where a folder was is found, too."""
    packed = pack(folder, tmp_path / "1.tar")
    assert examined(packed.archive) == packed.members
    assert Member("run.sh", 10, True) in packed.members
    turned = tar(tmp_path / "2.tar", (member("lib/a.py"), b"1"), (member("lib"), b"2"))
    with pytest.raises(BadPackage, match="lib is in the archive twice, or as a file and as a folder"):
        examined(turned)


def test_anybodys_archive_is_stored_in_the_one_form(folder: Path, tmp_path: Path) -> None:
    """Another order, other times and owners, folders of their own and `./` before names: the same digest."""
    packed = pack(folder, tmp_path / "1.tar")
    theirs = tmp_path / "theirs.tar"
    with tarfile.open(theirs, "w", format=tarfile.GNU_FORMAT) as out:
        for path in sorted(folder.rglob("*"), reverse=True):
            out.add(path, f"./{path.relative_to(folder)}", recursive=False)
    (tmp_path / "scratch").mkdir()

    found = normal(theirs, tmp_path / "scratch")

    assert theirs.read_bytes() != packed.archive.read_bytes()
    assert found.sha256 == packed.sha256
    assert found.members == packed.members
