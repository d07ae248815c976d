"""API keys of an installation whose keys file lies in a volume: made and taken away by a one-shot job."""

from datetime import UTC, datetime

from headrace.chassis.auth import ROLES, new_key, write_keys
from headrace.chassis.keys import changing
from headrace.provision.settings import ProvisionSettings
from headrace.provision.vault import give


class Unknown(Exception):
    """A role or key that is none; the message says which there are."""


def make_key(settings: ProvisionSettings, name: str, role: str, *more: str) -> None:
    """Print a new API key with the scopes of these roles; services take it from now on."""
    roles = {role, *more}
    if unknown := roles - ROLES.keys():
        raise Unknown(f"there is no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    scopes = {scope for each in roles for scope in ROLES[each]}
    with changing(settings.keys_file) as keys:
        key, after = new_key(keys, name, sorted(scopes), created=datetime.now(UTC))
        write_keys(settings.keys_file, after)
    give(settings.keys_file.parent, settings.owner)
    print(key)


def revoke_key(settings: ProvisionSettings, key_id: str) -> None:
    """Nobody is let in with this API key any more."""
    with changing(settings.keys_file) as keys:
        if key_id not in keys.stored:
            raise Unknown(f"there is no key {key_id!r}; there are {', '.join(keys.stored)}")
        write_keys(settings.keys_file, keys.without(key_id))
    give(settings.keys_file.parent, settings.owner)
