"""Buckets, and on MinIO the users and policies, made when the object server is up."""

import time
from collections.abc import Mapping

import urllib3
from minio import Minio
from minio.credentials import StaticProvider
from minio.error import MinioException, S3Error
from minio.minioadmin import MinioAdmin

from headrace.local.access import ACCESS, BUCKETS, policy
from headrace.local.identities import S3Key, write_private
from headrace.local.layout import Layout
from headrace.local.programs import PREFIX, REGION


def make_buckets(layout: Layout, keys: Mapping[str, S3Key], *, wait: float = 30.0) -> None:
    """Make every bucket that is missing; a server that has just started refuses for a moment."""
    client = _client(layout, keys["root"])
    for name in BUCKETS:
        _make_patiently(client, PREFIX + name, wait)


def make_users(layout: Layout, keys: Mapping[str, S3Key]) -> None:
    """MinIO: a user and a policy for each identity. SeaweedFS reads its identities from its configuration."""
    root = keys["root"]
    address = f"127.0.0.1:{layout.port('s3')}"
    credentials = StaticProvider(root.access, root.secret)
    admin = MinioAdmin(endpoint=address, credentials=credentials, region=REGION, secure=False)
    for name, rights in ACCESS.items():
        admin.user_add(keys[name].access, keys[name].secret)
        file = layout.secret(f"policy-{name}.json")
        write_private(file, policy(rights, PREFIX))
        admin.policy_add(f"headrace-{name}", str(file))
        admin.policy_set(f"headrace-{name}", user=keys[name].access)


def _client(layout: Layout, key: S3Key) -> Minio:
    http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=10))
    address = f"127.0.0.1:{layout.port('s3')}"
    return Minio(address, key.access, key.secret, secure=False, region=REGION, http_client=http)


def _make_patiently(client: Minio, bucket: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            if not client.bucket_exists(bucket):
                client.make_bucket(bucket)
            return
        except (S3Error, MinioException, urllib3.exceptions.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
