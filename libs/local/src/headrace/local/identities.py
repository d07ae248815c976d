"""Identities of a stack, made at its first start and kept in its folder."""

from collections.abc import Iterable
from pathlib import Path

from headrace import provision
from headrace.local.layout import Layout
from headrace.provision import S3Key, secret, write_private

__all__ = ["nats_keys", "ray_token", "s3_keys", "write_private"]


def nats_keys(layout: Layout) -> dict[str, str]:
    """Each identity's public nkey; seeds are made where they are missing."""
    return provision.nats_keys(layout.seed("any").parent)


def s3_keys(layout: Layout, identities: Iterable[str]) -> dict[str, S3Key]:
    """The object store's keys, `root` among them."""
    return provision.s3_keys(layout.secret("s3.json"), identities)


def ray_token(layout: Layout) -> Path:
    """The token that Ray asks of whoever connects."""
    file = layout.secret("ray.token")
    secret(file)
    return file
