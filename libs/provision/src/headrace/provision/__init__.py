"""Everything that must be there before services start: identities, buckets, databases, streams."""

from headrace.provision.access import ACCESS, BUCKETS, PASSING
from headrace.provision.buckets import ObjectServer, make_buckets, make_users
from headrace.provision.secrets import S3Key, nats_keys, s3_keys, secret, write_private
