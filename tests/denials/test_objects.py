"""Each identity at the object store: it touches the buckets that are its own, and no other, on both kinds of server."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, CopySource
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig

from headrace.local.buckets import make_buckets, make_users
from headrace.local.identities import s3_keys
from headrace.local.layout import Layout
from headrace.local.minio import find_minio
from headrace.local.programs import PREFIX, REGION, object_server
from headrace.local.stack import clean
from headrace.provision import S3Key
from headrace.provision.access import ACCESS, BUCKETS
from headrace.testkit.ports import free_stretch, listens, wait_until

from .tally import Tally

FOREIGN = "foreign"  # a bucket of somebody else's
TRIES: Mapping[str, Callable[[Minio, str], object]] = {
    "list": lambda client, bucket: [*client.list_objects(bucket, recursive=True)],
    "read": lambda client, bucket: closing(client.get_object(bucket, "seed")).__enter__().read(),
    "stat": lambda client, bucket: client.stat_object(bucket, "seed"),
    "read by a signed address": lambda client, bucket: _signed(client, "GET", bucket),
    "write": lambda client, bucket: client.put_object(bucket, "tried", BytesIO(b"x"), 1),
    "write by a signed address": lambda client, bucket: _signed(client, "PUT", bucket),
    "copy over": lambda client, bucket: _copied(client, bucket),
    "delete": lambda client, bucket: client.remove_object(bucket, "doomed"),
    "rule": lambda client, bucket: client.set_bucket_policy(bucket, '{"Version":"2012-10-17","Statement":[]}'),
    "unversion": lambda client, bucket: client.set_bucket_versioning(bucket, VersioningConfig(ENABLED)),
    "remove the bucket": lambda client, bucket: client.remove_bucket(bucket),
}
READING = {"list", "read", "stat", "read by a signed address"}
WRITING = {"write", "write by a signed address"}
SKIPPED = {"copy over", "delete", "unversion"}  # of one's own, SeaweedFS allows it with the right to write, MinIO never
REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


@dataclass(frozen=True)
class Server:
    """A running object server with everybody's keys."""

    kind: str
    layout: Layout
    keys: Mapping[str, S3Key]

    def client(self, key: S3Key | None) -> Minio:
        """A client as the bearer of a key, or as nobody."""
        http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=20))
        address = f"127.0.0.1:{self.layout.port('s3')}"
        who = (key.access, key.secret) if key else (None, None)
        return Minio(address, *who, secure=False, region=REGION, http_client=http)


@pytest.fixture(scope="module", params=["seaweedfs", pytest.param("minio", marks=pytest.mark.minio)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as the embedded stack starts it, with buckets, users and an object in each bucket."""
    if request.param == "minio" and find_minio() is None:
        pytest.skip("the real MinIO is not built here: `make minio` does, where Go is installed")
    layout = Layout(tmp_path_factory.mktemp(request.param), free_stretch())
    if request.param == "seaweedfs":
        layout.data("seaweedfs").mkdir(parents=True)  # data of one stay with that one
    keys = s3_keys(layout, ACCESS)
    program = object_server(layout, keys)
    log = layout.folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(program.command, stdout=out, stderr=out, env={**os.environ, **program.environment})
    wait_until(lambda: listens(layout.port("s3")), process, log)
    made = Server(request.param, layout, keys)
    _furnish(made)
    yield made
    process.kill()
    process.wait(10)
    clean(layout)


def test_each_identity_touches_its_own_buckets_and_no_other(server: Server) -> None:
    """Reading, writing and ruling, with the key and by signed addresses."""
    wrong: list[str] = []
    tried = refused = 0
    for identity, rights in ACCESS.items():
        client = server.client(server.keys[identity])
        for bucket in (*BUCKETS, FOREIGN):
            right = rights.get(bucket, "")
            for name, attempt in TRIES.items():
                if name in SKIPPED and right:
                    continue
                may = (name in READING and "r" in right) or (name in WRITING and "w" in right)
                denied = _denied(lambda client=client, attempt=attempt, bucket=bucket: attempt(client, PREFIX + bucket))
                tried, refused = tried + 1, refused + denied
                if denied is may:
                    wrong.append(f"{identity}: {name} {bucket}, {may=}")
    Tally(f"objects on {server.kind}", len(ACCESS), len(TRIES) * (len(BUCKETS) + 1), tried, refused, len(wrong)).write()

    assert wrong == []


@pytest.mark.parametrize("identity", ACCESS)
def test_nobody_makes_buckets_or_sees_what_others_have(server: Server, identity: str) -> None:
    """A list of buckets shows one's own at most."""
    client = server.client(server.keys[identity])

    assert _denied(lambda: client.make_bucket(PREFIX + "mine"))
    seen: set[str] = set()
    _denied(lambda: seen.update(bucket.name for bucket in client.list_buckets()))
    assert seen <= {PREFIX + bucket for bucket in ACCESS[identity]}


def test_strangers_are_not_let_in(server: Server) -> None:
    """No key, one that nobody knows, and a known one with another's secret."""
    known, other = server.keys["audit"], server.keys["ingest"]
    strangers = [None, S3Key("headrace-nobody", "x" * 40), S3Key(known.access, other.secret), S3Key("", "")]
    for stranger in strangers:
        client = server.client(stranger)
        for name in ("list", "read", "write", "remove the bucket"):
            assert _denied(lambda client=client, name=name: TRIES[name](client, f"{PREFIX}audit")), (stranger, name)


def test_a_service_cannot_rule_the_server(server: Server) -> None:
    """MinIO's administration is the provisioner's; SeaweedFS has none here."""
    if server.kind != "minio":
        pytest.skip("SeaweedFS reads its identities from a file at its start")
    for identity in ACCESS:
        key = server.keys[identity]
        admin = MinioAdmin(
            endpoint=f"127.0.0.1:{server.layout.port('s3')}",
            credentials=StaticProvider(key.access, key.secret),
            region=REGION,
            secure=False,
        )
        for attempt in (
            admin.user_list,
            admin.policy_list,
            admin.info,
            lambda admin=admin: admin.user_add("eve", "evil" * 5),
        ):
            with pytest.raises(MinioAdminException):
                attempt()


def _furnish(server: Server) -> None:
    make_buckets(server.layout, server.keys)
    if server.kind == "minio":
        make_users(server.layout, server.keys)
    root = server.client(server.keys["root"])
    root.make_bucket(PREFIX + FOREIGN)
    for bucket in (*BUCKETS, FOREIGN):
        for name in ("seed", "doomed"):
            root.put_object(PREFIX + bucket, name, BytesIO(b"x"), 1)


def _denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except S3Error as error:
        return error.code in REFUSALS
    except PermissionError:
        return True
    return False


def _signed(client: Minio, method: str, bucket: str) -> None:
    url = client.get_presigned_url(method, bucket, "seed" if method == "GET" else "tried")
    answer = urllib3.request(method, url, body=b"x" if method == "PUT" else None, retries=False)
    if answer.status == 403:
        raise PermissionError(bucket)
    assert answer.status == 200


def _copied(client: Minio, bucket: str) -> None:
    client.copy_object(PREFIX + FOREIGN, "stolen", CopySource(bucket, "seed"))
