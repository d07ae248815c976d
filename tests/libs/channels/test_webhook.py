"""Webhooks: what a receiver gets, and whom nobody reaches."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from headrace.channels import Delivery, Means, NotDelivered
from headrace.channels.webhook import WEBHOOK, is_public, signature
from headrace.testkit.receiver import receiver

HERE = Means(private_hosts=frozenset({"127.0.0.1", "localhost"}), timeout=5)
BODY = json.dumps({"type": "headrace.alert.raised.v1"}).encode()


def recipe() -> Any:
    """The function that the README gives to receivers."""
    text = (Path(__file__).parents[3] / "libs/channels/README.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    scope: dict[str, Any] = {}
    exec(found[1], scope)
    return scope["is_genuine"]


async def test_a_receiver_gets_the_event_signed_and_with_an_id() -> None:
    """It can tell who sent it by the README's own lines, and a repetition by its key."""
    means = Means(b"secret", HERE.private_hosts, 5)
    with receiver() as kept:
        await WEBHOOK.deliver(Delivery("event.0", kept.url, BODY), means)

    ((headers, body),) = kept.received
    assert body == BODY
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/cloudevents+json", "event.0")
    is_genuine = recipe()
    assert is_genuine(b"secret", headers["headrace-signature"], body)
    assert not is_genuine(b"other", headers["headrace-signature"], body)
    assert not is_genuine(b"secret", headers["headrace-signature"], body + b" ")
    assert not is_genuine(b"secret", signature(b"secret", body, int(time.time()) - 1000), body)


async def test_without_a_key_nothing_is_signed() -> None:
    """A receiver that checks signatures refuses it."""
    with receiver() as kept:
        await WEBHOOK.deliver(Delivery("event.0", kept.url, BODY), HERE)

    assert "headrace-signature" not in kept.received[0][0]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
async def test_any_answer_but_success_is_a_failure(status: int) -> None:
    """A redirect too: it would lead past the check of the address."""
    with receiver(status) as kept, receiver() as other:
        kept.location = other.url
        with pytest.raises(NotDelivered, match=f"answered {status}"):
            await WEBHOOK.deliver(Delivery("event.0", kept.url, BODY), HERE)

    assert other.received == []


async def test_a_receiver_that_does_not_answer_is_left_after_the_timeout() -> None:
    """Whatever it does meanwhile."""
    with receiver(0) as kept, pytest.raises(NotDelivered, match=r"did not answer within 0\.3 s"):
        await WEBHOOK.deliver(Delivery("event.0", kept.url, BODY), Means(None, HERE.private_hosts, 0.3))


async def test_nobody_listens() -> None:
    """The reason names the place."""
    with receiver() as kept:
        url = kept.url
    with pytest.raises(NotDelivered, match="cannot be reached"):
        await WEBHOOK.deliver(Delivery("event.0", url, BODY), HERE)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
     "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433"],
)  # fmt: skip
async def test_what_is_not_public_is_not_reached(host: str) -> None:
    """However it is written; unless the operator allows the host."""
    with pytest.raises(NotDelivered, match=r"not public|cannot be reached"):
        await WEBHOOK.deliver(Delivery("event.0", f"http://{host}:9/x", BODY), Means(timeout=2))


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "::127.0.0.1", "fec0::1",
     "224.0.0.1", "ff0e::1", "fe80::1%eth0", "100.64.0.1", "255.255.255.255", "::", "2001:0:1::"],
)  # fmt: skip
def test_an_address_that_wraps_or_means_another_is_not_public(address: str) -> None:
    """Translated, tunnelled, for many, for a site, for a link, or for nobody."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_one(address: str) -> None:
    """Also through a translator."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("alerts.example.org", "no absolute address"),
        ("ftp://alerts.example.org", "no absolute address"),
        ("file:///etc/passwd", "no absolute address"),
        ("https://", "no absolute address"),
        ("https://ann:secret@alerts.example.org", "holds a name or a password"),
        ("https://alerts.example.org:99999", "is no address"),
        ("https://alerts.example.org/" + "x" * 3000, "longer than"),
    ],
)
def test_what_is_no_webhook_is_refused_when_it_is_declared(to: str, told: str) -> None:
    """With what would be right."""
    assert told in str(WEBHOOK.place_problem(to))


@pytest.mark.parametrize("to", ["https://alerts.example.org", "http://alerts:8080/x?y=z", "https://[2001:db8::1]/x"])
def test_what_is_one_is_taken(to: str) -> None:
    """By name or number, with port, path and query."""
    assert WEBHOOK.place_problem(to) is None
