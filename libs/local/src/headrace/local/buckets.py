"""Buckets, and on MinIO the users and policies, of an embedded stack."""

from collections.abc import Mapping

from headrace import provision
from headrace.local.identities import s3_keys
from headrace.local.layout import Layout
from headrace.local.programs import PREFIX, REGION
from headrace.objects import ObjectSettings
from headrace.provision import ACCESS, ObjectServer, S3Key


def make_buckets(layout: Layout, keys: Mapping[str, S3Key], *, wait: float = 30.0) -> None:
    """Make every bucket that is missing; a server that has just started refuses for a moment."""
    provision.make_buckets(_server(layout, keys), wait=wait)


def make_users(layout: Layout, keys: Mapping[str, S3Key]) -> None:
    """MinIO: a user and a policy for each identity. SeaweedFS reads its identities from its configuration."""
    provision.make_users(_server(layout, keys), keys)


def object_settings(layout: Layout) -> ObjectSettings:
    """For who may do everything."""
    return _server(layout, s3_keys(layout, ACCESS)).settings


def _server(layout: Layout, keys: Mapping[str, S3Key]) -> ObjectServer:
    return ObjectServer(layout.url("s3"), keys["root"], REGION, PREFIX)
