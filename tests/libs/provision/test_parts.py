"""Databases, buckets and users on real servers: what is made, for whom, and that it may be made again."""

from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from minio.commonconfig import ENABLED
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from headrace.local.minio import find_minio
from headrace.objects import Denied, ObjectSettings, SyncObjectStore
from headrace.provision import ACCESS, BUCKETS, PASSING, ObjectServer, S3Key, make_buckets, make_users
from headrace.provision.databases import make_databases
from headrace.testkit.databases import Postgres
from headrace.testkit.s3 import S3, minio

NO_MINIO = "no MinIO: `make minio` builds it where Go is installed"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The real MinIO."""
    if find_minio() is None:
        pytest.skip(NO_MINIO)
    yield from minio(tmp_path_factory.mktemp("minio"))


@pytest.fixture(scope="module")
def furnished(real: S3) -> tuple[ObjectServer, dict[str, S3Key]]:
    """The real MinIO with everything made, twice, as after a second start."""
    server = fresh(real)
    keys = {name: S3Key(f"{server.prefix}{name}", uuid4().hex) for name in ACCESS}
    for _ in range(2):
        make_buckets(server, versioned=True, lock_days=1)
        make_users(server, keys)
    return server, keys


def fresh(server: S3) -> ObjectServer:
    """The server, with nothing of ours on it yet."""
    told = server.settings
    key = S3Key(told.access_key, told.secret_key)
    return ObjectServer(told.endpoint, key, told.region, f"made-{uuid4().hex[:8]}-")


@pytest.mark.postgres
async def test_a_service_enters_its_own_database_alone(postgres: Postgres) -> None:
    """It owns what is in there, and may not even connect to its neighbour's."""
    admin = urlsplit(postgres.new_database())
    one, other = f"one{uuid4().hex[:6]}", f"other{uuid4().hex[:6]}"

    for _ in range(2):  # again, with a new password, is no error
        await make_databases(admin._replace(scheme="postgresql").geturl(), {one: uuid4().hex, other: uuid4().hex})

    own = await asyncpg.connect(host=admin.hostname, port=admin.port, user=one, database=one)
    await own.execute("CREATE TABLE mine (id int)")
    await own.close()
    for foreign in (other, "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(host=admin.hostname, port=admin.port, user=one, database=foreign)


def test_versions_are_kept(s3_server: S3) -> None:
    """What is overwritten or deleted can be read again, but for what is kept for a while alone."""
    server = fresh(s3_server)

    for _ in range(2):
        make_buckets(server, versioned=True)

    client = server.client()
    kept = {name for name in BUCKETS if client.get_bucket_versioning(server.prefix + name).status == ENABLED}
    assert kept == {*BUCKETS} - {*PASSING}


@pytest.mark.minio
def test_nobody_deletes_what_audit_wrote(furnished: tuple[ObjectServer, dict[str, S3Key]]) -> None:
    """Not even who administers the server, before the days are over."""
    server, _ = furnished
    client, bucket = server.client(), f"{server.prefix}audit"
    version = client.put_object(bucket, "checkpoint", BytesIO(b"root"), 4).version_id

    errors = list(client.remove_objects(bucket, [DeleteObject("checkpoint", version)], bypass_governance_mode=True))

    assert len(errors) == 1
    assert client.stat_object(bucket, "checkpoint", version_id=version).size == 4


@pytest.mark.minio
@pytest.mark.parametrize("identity", ACCESS)
def test_an_identity_writes_to_its_buckets_alone(
    furnished: tuple[ObjectServer, dict[str, S3Key]], identity: str
) -> None:
    """What the policies say is what the server does."""
    server, keys = furnished
    key = keys[identity]
    settings = ObjectSettings(
        endpoint=server.endpoint, access_key=key.access, secret_key=key.secret, bucket_prefix=server.prefix
    )
    store = SyncObjectStore(settings)

    written = {bucket for bucket in BUCKETS if _puts(store, bucket)}

    assert written == {bucket for bucket, right in ACCESS[identity].items() if "w" in right}
    removed = {bucket for bucket in written if _removes(store, bucket)}
    assert removed == {bucket for bucket, right in ACCESS[identity].items() if "d" in right}


def test_a_server_that_refuses_is_told_of(s3_server: S3) -> None:
    """After patience has run out, with the server's own words."""
    server = fresh(s3_server)
    stranger = ObjectServer(server.endpoint, S3Key("nobody", "no-secret-at-all"), server.region, server.prefix)

    with pytest.raises(S3Error, match=r"InvalidAccessKeyId|AccessDenied"):
        make_buckets(stranger, wait=0.3)


def _puts(store: SyncObjectStore, bucket: str) -> bool:
    try:
        store.put(bucket, b"mine")
    except Denied:
        return False
    return True


def _removes(store: SyncObjectStore, bucket: str) -> bool:
    try:
        store.remove(bucket, store.put(bucket, b"mine").key)
    except Denied:
        return False
    return True
