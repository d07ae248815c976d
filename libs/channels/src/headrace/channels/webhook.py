"""A POST of the alert's CloudEvent to an HTTP server, signed with HMAC-SHA256."""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import time
from urllib.parse import SplitResult, urlsplit

from headrace.channels.base import Delivery, Means, NotDelivered

LONGEST = 2000  # characters of an address
_NAT64, _OWN_NAT64 = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Webhook:
    """See the README for what a receiver gets."""

    name = "webhook"
    about = "a POST to an HTTP server"

    def place_problem(self, to: str) -> str | None:
        """Only an absolute http address without a password: declarations are read by many."""
        try:
            parts = urlsplit(to)
            port = parts.port
        except ValueError as error:
            return f"{to!r} is no address: {error}"
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            return f"{to!r} is no absolute address such as https://alerts.example.org/headrace"
        if parts.username is not None or parts.password is not None:
            return "holds a name or a password, which everybody who reads the declaration would see; sign instead"
        return f"is longer than {LONGEST} characters" if len(to) > LONGEST else None

    async def deliver(self, delivery: Delivery, means: Means) -> None:
        """One POST; any answer but 2xx is a failure."""
        import httpx  # here: who only checks declarations does not install it

        parts = urlsplit(delivery.to)
        try:
            async with asyncio.timeout(means.timeout):
                address = await _address(parts, means.private_hosts)
                headers, name = _headers(delivery, means, parts), {"sni_hostname": parts.hostname}
                async with (
                    httpx.AsyncClient(trust_env=False, timeout=means.timeout, headers=headers) as client,
                    client.stream("POST", _at(parts, address), content=delivery.body, extensions=name) as answer,
                ):
                    if not answer.is_success:
                        raise NotDelivered(f"{delivery.to} answered {answer.status_code}")
        except TimeoutError as error:
            raise NotDelivered(f"{delivery.to} did not answer within {means.timeout:g} s") from error
        except (httpx.HTTPError, OSError) as error:
            raise NotDelivered(f"{delivery.to} cannot be reached: {error or type(error).__name__}") from error


def signature(key: bytes, body: bytes, seconds: int) -> str:
    """The value of `Headrace-Signature`: the time and the HMAC-SHA256 over time and body."""
    return f"t={seconds},v1={hmac.new(key, f'{seconds}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _headers(delivery: Delivery, means: Means, parts: SplitResult) -> dict[str, str]:
    told = {
        "host": parts.netloc,
        "content-type": "application/cloudevents+json",
        "user-agent": "headrace",
        "idempotency-key": delivery.id,
    }
    if means.key is not None:
        told["headrace-signature"] = signature(means.key, delivery.body, int(time.time()))
    return told


async def _address(parts: SplitResult, private: frozenset[str]) -> str:
    """The address that the host has; raises NotDelivered where one of them is not public."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    inner = [each for each in addresses if not is_public(each)]
    if inner and host not in private:
        raise NotDelivered(
            f"{host} is {inner[0]}, which is not public; the operator may allow it (HEADRACE_MONITOR_PRIVATE_HOSTS)"
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is public, as is the one that it wraps (RFC 3056, 4291, 6052, 8215)."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _IPV4_COMPATIBLE or found in _OWN_NAT64 or found.is_site_local or found.teredo is not None:
            return False
        wrapped = found.ipv4_mapped or found.sixtofour or (_last_four(found) if found in _NAT64 else None)
        if wrapped is not None:
            return is_public(str(wrapped))
    return found.is_global and not found.is_multicast


def _last_four(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(address.packed[-4:])


def _at(parts: SplitResult, address: str) -> str:
    netloc = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{netloc}:{parts.port}" if parts.port else netloc, fragment="").geturl()


WEBHOOK = Webhook()
