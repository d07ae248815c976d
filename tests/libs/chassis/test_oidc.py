"""Bearers of an identity provider's tokens: who they are, and what happens while the provider is away."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from headrace.chassis.errors import Unauthorised, Unavailable
from headrace.chassis.oidc import Issuer, OidcSettings, usable
from headrace.contracts import TrainingQueued
from headrace.testkit.idp import AUDIENCE, IdentityProvider
from headrace.testkit.tls import Authority, Leaf


class Provider:
    """An identity provider that answers over HTTP: its configuration, and its keys as they are now."""

    def __init__(self, tls: Leaf | None = None) -> None:
        self.away = False
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls.cert, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}/realm"
        self.idp = IdentityProvider(self.url)
        self.claimed = self.url
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def _documents(self) -> dict[str, Any]:
        where = {"issuer": self.claimed, "jwks_uri": f"{self.url}/jwks"}
        return {"/realm/.well-known/openid-configuration": where, "/realm/jwks": self.idp.jwks}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                found = None if provider.away else provider._documents().get(self.path)
                self.send_response(503 if found is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


@contextmanager
def providing(tls: Leaf | None = None) -> Iterator[Provider]:
    """A provider, for as long as it is needed."""
    provider = Provider(tls)
    yield provider
    provider.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider on loopback, in the clear."""
    with providing() as made:
        yield made


def issuer(provider: Provider, **changes: Any) -> Issuer:
    """What a service makes of its settings; unknown keys are asked for at any time."""
    return Issuer(OidcSettings(issuer=provider.url, audience=AUDIENCE, **{"refetch_s": 0.001, **changes}))


async def test_who_a_token_names_travels_in_every_event(provider: Provider, on_sqlite: Any) -> None:
    """`oidc:<host of the issuer>/<sub>`: no key can bear such a name, and no other issuer."""
    token = provider.idp.token(sub="ann@example.org", roles=["headrace-scientist"])
    async with on_sqlite(oidc_issuer=provider.url) as on:
        answer = await on.http.post("/notes", json={"id": "one"}, headers={"authorization": f"Bearer {token}"})
        said = await on.heard(TrainingQueued)

    host = provider.url.split("/")[2]
    assert answer.json() == {"actor": f"oidc:{host}/ann@example.org"}
    assert said.authid == f"oidc:{host}/ann@example.org"
    assert said.data.requested_by == said.authid


async def test_keys_are_found_by_discovery_and_fetched_once(provider: Provider) -> None:
    """However many ask at once."""
    known = issuer(provider, refetch_s=60)
    token = provider.idp.token(roles=["headrace-viewer"])

    callers = await asyncio.gather(*(known.caller(token) for _ in range(20)))

    assert {caller.name for caller in callers} == {"ann"}
    assert provider.asked == ["/realm/.well-known/openid-configuration", "/realm/jwks"]


async def test_a_rotated_key_is_fetched_when_a_token_names_it(provider: Provider) -> None:
    """And the old one is honoured no more."""
    known = issuer(provider)
    old = provider.idp.token()
    await known.caller(old)
    provider.idp.rsa = IdentityProvider().rsa
    await asyncio.sleep(0.002)
    await known.refresh()

    assert (await known.caller(provider.idp.token())).name == "ann"
    with pytest.raises(Unauthorised):
        await known.caller(old)


async def test_tokens_with_unknown_keys_do_not_make_us_ask_without_end(provider: Provider) -> None:
    """Strangers cannot use us to flood the provider."""
    known = issuer(provider, refetch_s=60)
    for at in range(50):
        with pytest.raises(Unauthorised):
            await known.caller(provider.idp.token(headers={"kid": f"made-up-{at}"}))

    assert len(provider.asked) == 2


async def test_while_the_provider_is_away_known_keys_are_used_for_a_while(provider: Provider) -> None:
    """Then, and for keys that may be new, it is said as an outage, which passes."""
    known = issuer(provider, stale_s=3600)
    await known.caller(provider.idp.token())
    provider.away = True
    await asyncio.sleep(0.002)
    await known.refresh()

    assert (await known.caller(provider.idp.token())).name == "ann"
    with pytest.raises(Unavailable, match="cannot be fetched"):
        await known.caller(provider.idp.token(headers={"kid": "new"}))
    known.settings = known.settings.model_copy(update={"stale_s": 0.0})
    with pytest.raises(Unavailable):
        await known.caller(provider.idp.token())


async def test_a_provider_that_was_never_reached_is_no_refusal(provider: Provider, on_sqlite: Any) -> None:
    """503, and readiness says why; keys work on; when it comes, so do tokens."""
    provider.away = True
    token = {"authorization": f"Bearer {provider.idp.token(roles=['headrace-viewer'])}"}
    async with on_sqlite(oidc_issuer=provider.url, oidc_refetch_s=0.01) as on:
        refused = await on.http.get("/notes", headers=token)
        ready = (await on.http.get("/ready")).json()
        stranger = await on.http.get("/notes", headers={"authorization": "Bearer hr_x_guess"})
        provider.away = False
        await asyncio.sleep(0.02)
        answer = await on.http.get("/notes", headers=token)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "cannot be fetched" in ready["problems"]["oidc"]
    assert stranger.status_code == 401
    assert answer.status_code == 200


async def test_a_configuration_of_somebody_else_is_not_believed(provider: Provider) -> None:
    """Whoever answers at the address must say that they are the issuer."""
    provider.claimed = "https://evil.example.org"

    with pytest.raises(Unavailable, match=r"evil\.example\.org"):
        await issuer(provider).caller(provider.idp.token())


async def test_a_provider_over_https_is_believed_by_its_ca(tmp_path: Path) -> None:
    """Ours by setting; without it the system's CAs, which do not know it; never in the clear beyond this machine."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    with providing(ours.leaf("idp")) as provider:
        assert (await issuer(provider, ca=ours.ca).caller(provider.idp.token())).name == "ann"
        for ca in (theirs.ca, None):
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await issuer(provider, ca=ca).caller(provider.idp.token())
        far = Issuer(OidcSettings(issuer="http://login.example.org", audience=AUDIENCE))
        with pytest.raises(Unavailable, match="is not https"):
            await far.caller(IdentityProvider("http://login.example.org").token())


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": []}, {"keys": [1]}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
     {"keys": [{"kty": "RSA", "use": "enc", "n": "x" * 400}]}, {"keys": [{"kty": "RSA", "n": "x" * 170, "e": "AQAB"}]}],
)  # fmt: skip
def test_what_holds_no_public_signature_key_is_no_key_set(document: Any) -> None:
    """Shared secrets, keys for encryption and keys of 1024 bits are none."""
    with pytest.raises(ValueError, match="no public signature key"):
        usable(document)


async def test_roles_lie_where_the_settings_say(provider: Provider) -> None:
    """Inside other claims too, under names of the provider's own."""
    known = issuer(provider, roles_claim="realm_access.roles", roles={"ml-ops": "engineer"})

    caller = await known.caller(provider.idp.token(realm_access={"roles": ["ml-ops", "headrace-admin"]}))

    assert caller.may("deployer:write")
    assert not caller.may("registry:approve")


async def test_a_token_ends_when_it_says(provider: Provider) -> None:
    """Whoever remembers the caller forgets it then."""
    caller = await issuer(provider).caller(provider.idp.token(exp=4_000_000_000))

    assert caller.until == 4_000_000_000.0
