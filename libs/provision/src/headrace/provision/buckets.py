"""Buckets, and on MinIO the users and policies, made as soon as the object server answers."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED
from minio.credentials import StaticProvider
from minio.error import MinioException, S3Error
from minio.minioadmin import MinioAdmin
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import VersioningConfig

from headrace.objects import ObjectSettings
from headrace.provision.access import ACCESS, BUCKETS, PASSING, policy
from headrace.provision.secrets import S3Key

LOCKED = "audit"  # what was published of the log is out of anybody's reach, an administrator's too
AGAIN_S = 0.1


@dataclass(frozen=True)
class ObjectServer:
    """An S3 server, and the key of who may make buckets there."""

    endpoint: str
    root: S3Key
    region: str = "us-east-1"
    prefix: str = "headrace-"
    tls_ca: Path | None = None

    @property
    def settings(self) -> ObjectSettings:
        """How our own store reaches it, as who may do everything."""
        return ObjectSettings(
            endpoint=self.endpoint,
            access_key=self.root.access,
            secret_key=self.root.secret,
            region=self.region,
            bucket_prefix=self.prefix,
            tls_ca=self.tls_ca,
        )

    def client(self) -> Minio:
        """A client that gives up soon: whoever calls tries again."""
        address, secure = self._address
        root, http = self.root, self._http()
        return Minio(address, root.access, root.secret, secure=secure, region=self.region, http_client=http)

    def admin(self) -> MinioAdmin:
        """MinIO's own administration."""
        address, secure = self._address
        credentials = StaticProvider(self.root.access, self.root.secret)
        http = self._http()
        return MinioAdmin(
            endpoint=address, credentials=credentials, region=self.region, secure=secure, http_client=http
        )

    @property
    def _address(self) -> tuple[str, bool]:
        url = urlsplit(self.endpoint)
        return url.netloc, url.scheme == "https"

    def _http(self) -> urllib3.PoolManager:
        ca = str(self.tls_ca) if self.tls_ca else None
        return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=10), ca_certs=ca)


def make_buckets(server: ObjectServer, *, versioned: bool = False, lock_days: int = 0, wait: float = 30.0) -> None:
    """Make every bucket that is missing; a server that has just started refuses for a moment.

    Versioned buckets keep what is overwritten or deleted; those whose content is kept for a while alone are not
    versioned, since what is removed there would only be hidden. With `lock_days` nobody can delete or change what lies
    in the audit bucket for so long, whatever their rights.
    """
    client = server.client()
    deadline = time.monotonic() + wait
    for name in BUCKETS:
        _patiently_make(client, server.prefix + name, name == LOCKED and lock_days > 0, deadline)
        if versioned and name not in PASSING:
            client.set_bucket_versioning(server.prefix + name, VersioningConfig(ENABLED))
    if lock_days:
        client.set_object_lock_config(server.prefix + LOCKED, ObjectLockConfig(COMPLIANCE, lock_days, DAYS))


def make_users(server: ObjectServer, keys: Mapping[str, S3Key]) -> None:
    """MinIO: a user and a policy for each identity. Other servers keep their identities in their own ways."""
    admin = server.admin()
    for name, rights in ACCESS.items():
        admin.user_add(keys[name].access, keys[name].secret)
        admin.policy_add(f"headrace-{name}", policy=json.loads(policy(rights, server.prefix)))
        admin.policy_set(f"headrace-{name}", user=keys[name].access)


def _patiently_make(client: Minio, bucket: str, locked: bool, deadline: float) -> None:
    while True:
        try:
            if not client.bucket_exists(bucket):
                client.make_bucket(bucket, object_lock=locked)
            return
        except (S3Error, MinioException, urllib3.exceptions.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_S)
