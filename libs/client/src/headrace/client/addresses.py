"""Where a stack answers, and who is asking: from options, the environment, or the running stack's folder."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from headrace.client.errors import NoStack
from headrace.contracts.services import PORTS

FOLDER = ".headrace"
COMPOSE = "compose"  # below it: what `headrace attach` fetched from the stack of containers


@dataclass(frozen=True)
class Stack:
    """The addresses of one stack's services, its broker, and the key to present."""

    services: Mapping[str, str]
    key: str | None = None
    nats_url: str | None = None
    nats_seed_file: Path | None = None
    tls_ca: Path | None = None
    """Believed instead of the system's CAs, where services and broker are asked over TLS."""
    keys_file: Path | None = None
    """Every service's API keys, where the stack's folder lies on this machine."""
    log_key: str | None = None
    """The audit log's verifying key, where it lies beside the stack's own files: it is not asked of the service."""

    def url(self, service: str) -> str:
        """The base URL of `service`, without a slash at its end; raises NoStack where it is not known."""
        if service not in self.services:
            raise NoStack(f"the address of {service} is not known here; set HEADRACE_{service.upper()}_URL")
        return self.services[service].rstrip("/")


def find_stack(url: str | None = None, key: str | None = None, *, start: Path | None = None) -> Stack:
    """The stack that the caller means.

    `url` (or HEADRACE_URL) names a host on which every service has its usual port; HEADRACE_<SERVICE>_URL names
    one service elsewhere. Without either, the `.headrace/stack.json` of the running stack is looked for in the
    working folder and above it. Raises NoStack with what to do when there is none.
    """
    url = url or os.environ.get("HEADRACE_URL")
    key = key or os.environ.get("HEADRACE_KEY")
    found = _from_url(url, key) if url else _from_folder(start or Path.cwd(), key)
    return _with_overrides(found)


def _from_url(url: str, key: str | None) -> Stack:
    scheme, host = _host(url)
    services = {name: f"{scheme}://{host}:{port}" for name, port in PORTS.items()}
    nats = os.environ.get("HEADRACE_NATS_URL")
    return Stack(services, key, nats, _seed_from_environment())


def _host(url: str) -> tuple[str, str]:
    """Scheme and host of a URL; an IPv6 address keeps its brackets."""
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
    except ValueError as error:
        raise NoStack(f"{url!r} is no URL: {error}") from error
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise NoStack(f"{url!r} names no host; write http://HOST or https://HOST")
    return parts.scheme, f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname


def _from_folder(start: Path, key: str | None) -> Stack:
    for folder in (start, *start.parents):
        for place in (folder / FOLDER, folder / FOLDER / "demo", folder / FOLDER / COMPOSE):
            if (file := place / "stack.json").is_file():
                return read_stack(file, key)
    raise NoStack(
        f"no running stack found: no {FOLDER}/stack.json in {start} or above. "
        "Start one with `headrace up`, attach to one of containers with `headrace attach`, "
        "or name one with --url or HEADRACE_URL."
    )


def read_stack(file: Path, key: str | None = None) -> Stack:
    """The stack that a stack.json describes; `key` goes before the one that it names.

    Raises NoStack where the file is damaged.
    """
    try:
        document = json.loads(file.read_text())
        services, nats = dict(document["services"]), document.get("nats", {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoStack(f"{file} does not describe a stack ({error!r}); `headrace up` writes it again") from error
    return Stack(
        services=services,
        key=key or _read_key(file.parent.parent, document.get("key_file")),
        nats_url=nats.get("url"),
        nats_seed_file=_resolve(file.parent.parent, nats.get("seed_file")),
        keys_file=_keys_file(file.parent.parent, document.get("key_file")),
        log_key=_read_key(file.parent.parent, document.get("log_key_file")),
    )


def _resolve(root: Path, path: str | None) -> Path | None:
    return root / path if path else None


def _read_key(root: Path, path: str | None) -> str | None:
    file = _resolve(root, path)
    return file.read_text().strip() if file and file.is_file() else None


def _keys_file(root: Path, key_file: str | None) -> Path | None:
    """The keys lie beside the key that the command line presents."""
    beside = _resolve(root, key_file)
    file = beside.with_name("keys.json") if beside else None
    return file if file and file.is_file() else None


def _seed_from_environment() -> Path | None:
    path = os.environ.get("HEADRACE_NATS_NKEY_SEED_FILE")
    return Path(path) if path else None


def _with_overrides(stack: Stack) -> Stack:
    named = {name: os.environ.get(f"HEADRACE_{name.upper()}_URL") for name in PORTS}
    services = {**stack.services, **{name: url for name, url in named.items() if url}}
    ca = os.environ.get("HEADRACE_TLS_CA")
    return replace(stack, services=services, tls_ca=Path(ca) if ca else stack.tls_ca)
