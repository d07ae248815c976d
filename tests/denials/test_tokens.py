"""Tokens that look right and are not, at each service."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headrace.testkit.cluster import Cluster
from headrace.testkit.idp import ISSUER, IdentityProvider

from .tally import Tally

PLACES: Mapping[str, str] = {
    "ingest": "/datasets",
    "trainer": "/queue",
    "registry": "/models",
    "deployer": "/dead-letters",
    "inference": "/v2/models/probe",
    "monitor": "/dead-letters",
    "audit": "/keys",
}
Status = Callable[[str, str], int]
NOW = int(time.time())
LATER = NOW + 86_400  # later than any run of these tests lasts
ADMIN = {"roles": ["headrace-admin"]}
MALLORY = IdentityProvider()
"""The same issuer's name, and other keys."""


def encoded(part: Any) -> str:
    """A part of a token, unpadded."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    """A token of any parts, as no library would make it."""
    return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"


def hmac_with_the_public_key(idp: IdentityProvider, secret: bytes, kid: str | None = "r1") -> str:
    """The public key, which everybody has, taken for a shared secret."""
    head = {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
    body = f"{encoded(head)}.{encoded(idp.claims(**ADMIN))}"
    return f"{body}.{encoded(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


def tampered(token: str, **claims: Any) -> str:
    """A good token with other claims under the same signature."""
    head, body, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{encoded({**told, **claims})}.{signature}"


def with_its_own_key(idp: IdentityProvider) -> str:
    """Signed with a key that the token itself brings along."""
    own = jwt.algorithms.RSAAlgorithm.to_jwk(MALLORY.rsa.public_key(), as_dict=True)
    return jwt.encode(idp.claims(**ADMIN), MALLORY.rsa, "RS256", headers={"jwk": own})


FORGED: Mapping[str, Callable[[IdentityProvider], str]] = {
    "expired": lambda idp: idp.token(**ADMIN, iat=NOW - 900, exp=NOW - 600),
    "not yet valid": lambda idp: idp.token(**ADMIN, nbf=LATER, exp=LATER + 300),
    "issued in the future": lambda idp: idp.token(**ADMIN, iat=LATER, exp=LATER + 300),
    "another issuer": lambda idp: idp.token(**ADMIN, iss="https://evil.example.org"),
    "an issuer that begins alike": lambda idp: idp.token(**ADMIN, iss=f"{ISSUER}/evil"),
    "for another audience": lambda idp: idp.token(**ADMIN, aud="grafana"),
    "for a list without us": lambda idp: idp.token(**ADMIN, aud=["grafana", "headrace2"]),
    "without an end": lambda idp: idp.token(**ADMIN, exp=None),
    "without an issuer": lambda idp: idp.token(**ADMIN, iss=None),
    "without an audience": lambda idp: idp.token(**ADMIN, aud=None),
    "without a subject": lambda idp: idp.token(**ADMIN, sub=None),
    "a subject with a space": lambda idp: idp.token(**ADMIN, sub="ann admin"),
    "a subject of two lines": lambda idp: idp.token(**ADMIN, sub="ann\nkey:admin"),
    "a subject without end": lambda idp: idp.token(**ADMIN, sub="a" * 256),
    "an end that is no number": lambda idp: by_hand({"alg": "RS256", "kid": "r1"}, {**idp.claims(), "exp": []}),
    "alg none": lambda idp: by_hand({"alg": "none", "typ": "JWT", "kid": "r1"}, idp.claims(**ADMIN)),
    "alg None in capitals": lambda idp: by_hand({"alg": "NoNe", "kid": "r1"}, idp.claims(**ADMIN)),
    "alg none without a key": lambda idp: by_hand({"alg": "none"}, idp.claims(**ADMIN)),
    "no alg": lambda idp: by_hand({"kid": "r1"}, idp.claims(**ADMIN), b"x" * 256),
    "alg as a list": lambda idp: by_hand({"alg": ["RS256"], "kid": "r1"}, idp.claims(**ADMIN), b"x" * 256),
    "HS256 with the public PEM": lambda idp: hmac_with_the_public_key(idp, idp.public_pem),
    "HS256 with the published key": lambda idp: hmac_with_the_public_key(idp, json.dumps(idp.jwks["keys"][0]).encode()),
    "HS256 with nothing": lambda idp: hmac_with_the_public_key(idp, b"", None),
    "RS384, which is not allowed": lambda idp: idp.token(algorithm="RS384", **ADMIN),
    "the other key's algorithm": lambda idp: jwt.encode(idp.claims(**ADMIN), idp.rsa, "RS256", headers={"kid": "e1"}),
    "signed by somebody else": lambda _: MALLORY.token(**ADMIN),
    "signed by somebody else, ES256": lambda _: MALLORY.token(algorithm="ES256", **ADMIN),
    "a key that it brings along": with_its_own_key,
    "a key's address that it names": lambda idp: idp.token(**ADMIN, headers={"jku": "https://evil.example.org/jwks"}),
    "an unknown key": lambda idp: idp.token(**ADMIN, headers={"kid": "r2"}),
    "no key named among several": lambda idp: idp.token(**ADMIN, headers={}),
    "a path as key": lambda idp: idp.token(**ADMIN, headers={"kid": "../../dev/null"}),
    "a critical extension": lambda idp: idp.token(**ADMIN, headers={"kid": "r1", "crit": ["b64"], "b64": False}),
    "claims changed": lambda idp: tampered(idp.token(), **ADMIN),
    "subject changed": lambda idp: tampered(idp.token(**ADMIN), sub="bob"),
    "signature cut": lambda idp: idp.token(**ADMIN)[:-4],
    "signature gone": lambda idp: idp.token(**ADMIN).rpartition(".")[0] + ".",
    "two parts": lambda idp: idp.token(**ADMIN).rpartition(".")[0],
    "five parts": lambda _: "a.b.c.d.e",
    "a token in a token": lambda idp: by_hand({"alg": "RS256", "kid": "r1", "cty": "JWT"}, idp.token(**ADMIN)),
    "claims that are a list": lambda idp: jwt.PyJWS().encode(b"[1]", idp.rsa, "RS256", headers={"kid": "r1"}),
    "claims that are no JSON": lambda idp: jwt.PyJWS().encode(b"{", idp.rsa, "RS256", headers={"kid": "r1"}),
    "a header without end": lambda _: f"{encoded(b'[' * 20_000)}.e30.eA",
    "no base64": lambda _: "ey$.ey$.ey$",
    "nothing but dots": lambda _: "..",
    "other letters": lambda _: "\xe4\xf6\xfc.\xe4.\xe4",
    "an elliptic key of another curve": lambda idp: jwt.encode(
        idp.claims(**ADMIN), ec.generate_private_key(ec.SECP384R1()), "ES384", headers={"kid": "e1"}
    ),
    "another's key for the same algorithm": lambda idp: jwt.encode(
        idp.claims(**ADMIN), rsa.generate_private_key(65537, 2048), "PS256", headers={"kid": "r1"}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def status(cluster: Cluster) -> Iterator[Status]:
    """How a service answers the bearer of a token."""
    with httpx.Client(timeout=30) as http:

        def ask(service: str, token: str) -> int:
            headers = [(b"authorization", b"Bearer " + token.encode("latin-1"))]
            code: int = http.get(f"{cluster.urls[service]}{PLACES[service]}", headers=headers).status_code
            return code

        yield ask


def test_every_service_is_asked(cluster: Cluster) -> None:
    """A new service is tried too."""
    assert set(PLACES) == set(cluster.services)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_a_good_token_is_let_in_everywhere(cluster: Cluster, status: Status, algorithm: str) -> None:
    """Else the refusals below would prove nothing."""
    token = cluster.idp.token(algorithm=algorithm, **ADMIN)

    assert {status(service, token) for service in PLACES} <= {200, 404}


def test_forged_tokens_are_refused_everywhere(cluster: Cluster, status: Status) -> None:
    """401, whatever is wrong with them."""
    made = {name: forge(cluster.idp) for name, forge in FORGED.items()}
    seen = {f"{name} at {service}": status(service, made[name]) for name in made for service in PLACES}
    wrong = {what: code for what, code in seen.items() if code != 401}
    refused = sum(code == 401 for code in seen.values())
    Tally("tokens", len(FORGED), len(PLACES), len(seen), refused, len(wrong)).write()

    assert wrong == {}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, 403),
        ({"roles": ["headrace-viewer"]}, 200),
        ({"roles": "headrace-viewer other"}, 200),
        ({"roles": ["viewer"]}, 403),  # names of ours are not theirs
        ({"roles": ["headrace-auditor"]}, 200),
        ({"roles": {"headrace-admin": True}}, 403),
        ({"scope": "registry:read openid"}, 200),
        ({"scope": ["registry:read"]}, 200),
        ({"scope": "admin"}, 403),  # no scope of a token gives everything
        ({"scope": "registry:*"}, 403),
        ({"roles": None, "groups": ["headrace-admin"]}, 403),
    ],
)
def test_roles_and_scopes_of_a_token_are_what_it_may(
    cluster: Cluster, status: Status, claims: dict[str, Any], expected: int
) -> None:
    """A token that says nothing of us lets in nobody."""
    assert status("registry", cluster.idp.token(**claims)) == expected
