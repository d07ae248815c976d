"""The object store over S3, blocking: content-addressed, write-once, verified on read.

A write is a presigned PUT with `If-None-Match: *`, because minio-py has no conditional PUT and sends such a header
as metadata, which overwrites in silence.
"""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from headrace.contracts import Artifact, File, ObjectRef
from headrace.faults import point
from headrace.objects.errors import AlreadyExists, Corrupt, Denied, Missing, ObjectError, StoreAway
from headrace.objects.patience import BLOCK, PASSING, RetryPolicy, http_pool
from headrace.objects.settings import ObjectSettings

SINGLE_PUT = 4 << 30  # S3 takes at most 5 GB in one PUT
PART = 64 << 20  # the memory that a larger write takes
PRESIGNED_FOR = timedelta(minutes=15)
TOUCHED_AFTER = timedelta(hours=12)  # an object as old as this is young again when it is put again
Content = bytes | Path | Iterable[bytes]


@dataclass(frozen=True)
class Found:
    """An object that is there; its size in bytes, and when it was written, in whole seconds."""

    bucket: str
    key: str
    size: int
    version_id: str | None = None
    modified: datetime | None = None


class SyncObjectStore:
    """Blocking access, for workers; services use ObjectStore, the same in coroutines."""

    def __init__(self, settings: ObjectSettings) -> None:
        self.settings = settings
        url = urlsplit(settings.endpoint)
        self._put_retries = RetryPolicy.of(settings).new(status_forcelist=(409, *PASSING))  # 409: another writes it now
        self._http = http_pool(settings)
        self.client = Minio(
            url.netloc,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            secure=url.scheme == "https",
            region=settings.region,
            http_client=self._http,
        )

    def bucket(self, name: str) -> str:
        """The full name of a bucket, given in short or in full."""
        prefix = self.settings.bucket_prefix
        return name if name.startswith(prefix) else prefix + name

    def put(
        self,
        bucket: str,
        data: Content,
        *,
        key: str | None = None,
        content_type: str = "application/octet-stream",
        sha256: str | None = None,
    ) -> ObjectRef:
        """Write once and return the reference; without a key the content's digest is the key.

        The same content again is no error and no second write; other content under a key raises AlreadyExists.
        Content of unknown length is spooled to disk first, because its digest is its name. `sha256` is a file's
        digest, from who has computed it while writing the file; else the file is read once more for it.
        """
        if isinstance(data, bytes):
            return self._put_bytes(bucket, data, key, content_type)
        if isinstance(data, Path):
            return self._put_file(bucket, data, key, content_type, sha256)
        with NamedTemporaryFile(prefix="headrace-spool-") as spool:
            for block in data:
                spool.write(block)
            spool.flush()
            return self._put_file(bucket, Path(spool.name), key, content_type)

    def get(self, ref: ObjectRef) -> bytes:
        """The whole content; raises Missing, or Corrupt when it is not what the reference promises."""
        return b"".join(self.stream(ref))

    def stream(self, ref: ObjectRef) -> Generator[bytes, None, None]:
        """The content in blocks; the digest is checked when the last is out, so act on it only then."""
        digest, size = hashlib.sha256(), 0
        for block in self.read(ref.bucket, ref.key, ref.version_id):
            digest.update(block)
            size += len(block)
            yield block
        if digest.hexdigest() != ref.sha256 or size != ref.size:
            found = f"{size} bytes with digest {digest.hexdigest()[:12]}"
            raise Corrupt(f"{ref.bucket}/{ref.key}: {found}, not {ref.size} with {ref.sha256[:12]}; restore the object")

    def read(self, bucket: str, key: str, version_id: str | None = None) -> Generator[bytes, None, None]:
        """The content in blocks of an object whose digest nobody knows yet; raises Missing."""
        with self._errors(bucket, key):
            answer = self.client.get_object(self.bucket(bucket), key, version_id=version_id)
            try:
                yield from answer.stream(BLOCK)
            finally:
                answer.close()
                answer.release_conn()

    def download(self, ref: ObjectRef, to: Path) -> Path:
        """Write the content to a file, which appears only when it is whole and right."""
        to.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as draft:
            try:
                for block in self.stream(ref):
                    draft.write(block)
                draft.flush()
                Path(draft.name).replace(to)
            except BaseException:
                Path(draft.name).unlink(missing_ok=True)
                raise
        return to

    def stat(self, bucket: str, key: str) -> Found | None:
        """Whether an object is there, and how big; under a name that no object can have there is none."""
        try:
            with self._errors(bucket, key):
                there = self.client.stat_object(self.bucket(bucket), key)
        except (Missing, ValueError):  # the library refuses such names before it asks the store
            return None
        return Found(self.bucket(bucket), key, there.size or 0, there.version_id, _second(there.last_modified))

    def list(self, bucket: str, prefix: str = "") -> Iterator[Found]:
        """Every object whose key begins with `prefix`."""
        with self._errors(bucket, prefix):
            for each in self.client.list_objects(self.bucket(bucket), prefix=prefix, recursive=True):
                name, size = each.object_name or "", each.size or 0
                yield Found(self.bucket(bucket), name, size, each.version_id, _second(each.last_modified))

    def remove(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Remove an object, or one version of it; one that is not there is no error."""
        with self._errors(bucket, key):
            self.client.remove_object(self.bucket(bucket), key, version_id)

    def presign(self, ref: ObjectRef, expires: timedelta = PRESIGNED_FOR) -> str:
        """A URL that reads the object without a key, until it expires."""
        return str(self.client.presigned_get_object(ref.bucket, ref.key, expires=expires, version_id=ref.version_id))

    def put_directory(self, bucket: str, folder: Path, *, prefix: str) -> Artifact:
        """Write every file of a folder under `prefix`; the artifact's digest binds them all."""
        files = [self._put_member(bucket, folder, path, prefix) for path in members(folder)]
        size = sum(file.size for file in files)
        return Artifact(bucket=self.bucket(bucket), prefix=prefix, digest=digest_of(files), size=size, files=files)

    def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Fetch a model directory and verify every file against the artifact's digest."""
        if digest_of(artifact.files) != artifact.digest:
            raise Corrupt(f"{artifact.bucket}/{artifact.prefix}: its list of files is not what its digest promises")
        for file in artifact.files:
            key = f"{artifact.prefix}/{file.path}"
            ref = ObjectRef(bucket=artifact.bucket, key=key, size=file.size, sha256=file.sha256)
            self.download(ref, inside(to, file.path))
        return to

    def _put_member(self, bucket: str, folder: Path, path: Path, prefix: str) -> File:
        name = path.relative_to(folder).as_posix()
        ref = self.put(bucket, path, key=f"{prefix}/{name}")
        return File(path=name, size=ref.size, sha256=ref.sha256)

    def _put_bytes(self, bucket: str, data: bytes, key: str | None, content_type: str) -> ObjectRef:
        digest = hashlib.sha256(data).hexdigest()
        return self._put(bucket, data, len(data), digest, key, content_type)

    def _put_file(
        self, bucket: str, path: Path, key: str | None, content_type: str, sha256: str | None = None
    ) -> ObjectRef:
        with path.open("rb") as file:
            digest = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return self._put(bucket, file, path.stat().st_size, digest, key, content_type)

    def _put(
        self, bucket: str, body: bytes | IO[bytes], size: int, digest: str, key: str | None, content_type: str
    ) -> ObjectRef:
        name = key or content_key(digest)
        ref = ObjectRef(bucket=self.bucket(bucket), key=name, size=size, sha256=digest)
        with self._errors(bucket, name):
            point("objects.before_put")
            write = self._put_large if size > SINGLE_PUT else self._put_once
            if not write(ref, body, content_type) and not self._holds(ref, addressed=key is None):
                raise AlreadyExists(f"{ref.bucket}/{name} holds other content; keys are written once, choose another")
        point("objects.put")
        return ref

    def _put_once(self, ref: ObjectRef, body: bytes | IO[bytes], content_type: str) -> bool:
        """Write where nothing is; False where something is."""
        url = self.client.presigned_put_object(ref.bucket, ref.key, expires=PRESIGNED_FOR)
        headers = {"If-None-Match": "*", "Content-Type": content_type, "Content-Length": str(ref.size)}
        answer = self._http.request("PUT", url, body=body, headers=headers, retries=self._put_retries)
        if answer.status == 412:
            return False
        if answer.status not in {200, 204}:
            raise _answered(answer.status, answer.data, f"{ref.bucket}/{ref.key}")
        return True

    def _put_large(self, ref: ObjectRef, body: bytes | IO[bytes], content_type: str) -> bool:
        """In parts; there is no conditional write for these, so look first; False where something is."""
        if self.stat(ref.bucket, ref.key) is not None:
            return False
        stream = BytesIO(body) if isinstance(body, bytes) else body
        self.client.put_object(ref.bucket, ref.key, stream, ref.size, content_type, part_size=PART)  # type: ignore[arg-type]
        return True

    def _holds(self, ref: ObjectRef, *, addressed: bool) -> bool:
        """Whether what is there already is the same content; a content address cannot hold other content."""
        there = self.stat(ref.bucket, ref.key)
        if there is None or there.size != ref.size:
            return False
        if addressed:
            self._touch(there)
            return True
        digest = hashlib.sha256()
        for block in self.read(ref.bucket, ref.key):
            digest.update(block)
        return digest.hexdigest() == ref.sha256

    def _touch(self, there: Found) -> None:
        """Make an old object young, by a copy onto itself: who puts it again will soon speak of it.

        Until then it may be an orphan, and one of those that are removed for their age.
        """
        if there.modified is None or datetime.now(UTC) - there.modified < TOUCHED_AFTER:
            return
        kind = self.client.stat_object(there.bucket, there.key).content_type or "application/octet-stream"
        source, kept = CopySource(there.bucket, there.key), {"Content-Type": kind}
        self.client.copy_object(there.bucket, there.key, source, metadata=kept, metadata_directive=REPLACE)  # type: ignore[arg-type]

    @contextmanager
    def _errors(self, bucket: str, key: str) -> Iterator[None]:
        """The libraries' many errors as our few."""
        place = f"{self.bucket(bucket)}/{key}"
        try:
            yield
        except S3Error as error:
            raise _refused(str(error.code), str(error.message), place) from error
        except (MinioException, HTTPError, OSError) as error:
            raise StoreAway(f"{self.settings.endpoint} does not serve {place}: {error}") from error


def content_key(digest: str) -> str:
    """The key of content by its digest, spread over 256 folders."""
    return f"sha256/{digest[:2]}/{digest[2:]}"


def digest_of(files: Iterable[File]) -> str:
    """The digest of a directory: SHA-256 of the canonical JSON of the sorted list of [path, size, sha256]."""
    listed = sorted([file.path, file.size, file.sha256] for file in files)
    return hashlib.sha256(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def members(folder: Path) -> list[Path]:
    """The files of a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def inside(folder: Path, name: str) -> Path:
    """A member's place in `folder`; a name that leads out of it raises Corrupt."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Corrupt(f"{name!r} leads out of its directory")
    return path


def sync_object_store(settings: ObjectSettings) -> SyncObjectStore:
    """The store that the settings name."""
    return SyncObjectStore(settings)


def _second(moment: datetime | None) -> datetime | None:
    """A listing may count in milliseconds what the object's own header gives in seconds."""
    return moment and moment.replace(microsecond=0)


def _refused(code: str, message: str, place: str) -> ObjectError:
    if code in {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound"}:
        return Missing(f"{place} is not there ({code})")
    if code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return Denied(f"{place}: {code}; look at the identity's key and policy")
    return StoreAway(f"{place}: {code}: {message}")


def _answered(status: int, body: bytes, place: str) -> ObjectError:
    text: Any = body[:200].decode(errors="replace")
    if status == 403:
        return Denied(f"{place}: {text}; look at the identity's key and policy")
    if status == 404:
        return Missing(f"{place}: {text}")
    return StoreAway(f"{place}: status {status}: {text}")
