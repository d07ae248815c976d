"""The object store behind a small port: content-addressed, write-once, verified on read."""

from headrace.objects.errors import AlreadyExists, Corrupt, Denied, Missing, ObjectError, StoreAway
from headrace.objects.settings import ObjectSettings
from headrace.objects.store import ObjectStore, object_store
from headrace.objects.sync import Found, SyncObjectStore, content_key, digest_of, sync_object_store
