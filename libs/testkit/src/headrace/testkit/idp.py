"""An identity provider: its keys, and tokens as it would give them, or as somebody else would."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://login.example.org/realm"
AUDIENCE = "headrace"
LASTS_S = 300


class IdentityProvider:
    """An RSA key, `r1`, and an elliptic one, `e1`; its JWKS is a file that services read."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys, as the issuer publishes them."""
        first = jwt.algorithms.RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True)
        second = jwt.algorithms.ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True)
        return {"keys": [{**first, "kid": "r1", "use": "sig"}, {**second, "kid": "e1", "use": "sig"}]}

    @property
    def public_pem(self) -> bytes:
        """The RSA key as everybody may read it."""
        return self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def write_jwks(self, file: Path) -> Path:
        """Publish the keys."""
        file.write_text(json.dumps(self.jwks))
        return file

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token says; a change to None leaves a claim out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + LASTS_S}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(self, *, algorithm: str = "RS256", headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token, signed with the key that the algorithm takes."""
        key, kid = (self.ec, "e1") if algorithm.startswith("ES") else (self.rsa, "r1")
        told = {"kid": kid} if headers is None else dict(headers)
        return jwt.encode(self.claims(**claims), key, algorithm, headers=told)
