"""SeaweedFS with one door: S3 with keys. Its own parts talk to each other over TLS with a certificate of the stack.

Master, volume and filer listen on loopback beside the S3 port. Without certificates any process of the machine could
delete a model there, past every key. With them nobody gets in who cannot read the stack's own folder.
"""

import ipaddress
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headrace.provision import write_private

LIFE = timedelta(days=3650)  # of certificates that leave neither the folder nor the machine
GRPC_PARTS = ("master", "volume", "filer", "s3", "client")
HTTPS_PARTS = ("master", "volume", "filer")
SOCKETS = Path("/tmp")  # SeaweedFS puts its Unix sockets there, wherever TMPDIR points


def security(folder: Path) -> Path:
    """The folder of SeaweedFS' configuration, private to its owner; certificates are made where they are missing."""
    if not (folder / "own.crt").is_file():
        _make_certificates(folder)
    write_private(folder / "security.toml", "\n".join(_configuration(folder)) + "\n")
    return folder


def _configuration(folder: Path) -> Iterator[str]:
    own = f'cert = "{folder / "own.crt"}"\nkey = "{folder / "own.key"}"'
    ca = f'ca = "{folder / "ca.crt"}"'
    yield f"[grpc]\n{ca}"
    yield from (f"[grpc.{part}]\n{own}" for part in GRPC_PARTS)
    yield from (f"[https.{part}]\n{own}\n{ca}" for part in HTTPS_PARTS)
    yield f"[https.client]\nenabled = true\n{own}\n{ca}"


def _make_certificates(folder: Path) -> None:
    """An authority whose key is forgotten at once, and the one certificate that it ever signs."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _named("headrace object store")
    root = _unsigned(issuer, issuer, authority.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    leaf = _unsigned(_named("localhost"), issuer, own.public_key())
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = leaf.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    leaf = leaf.add_extension(usages, critical=False)
    write_private(folder / "ca.crt", _pem(root.sign(authority, hashes.SHA256())))
    key = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / "own.key", key.decode())
    write_private(folder / "own.crt", _pem(leaf.sign(authority, hashes.SHA256())))


def _unsigned(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + LIFE)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def weed(security: Path, ports: Mapping[str, int], grpc: Mapping[str, int], runtime: Path) -> list[str]:
    """The command of a server on loopback with master, volume, filer and S3; without its data and its S3 keys."""
    listening = [f"-{part}.port={port}" for part, port in ports.items()]
    listening += [f"-{part}.port.grpc={port}" for part, port in grpc.items()]
    return [
        *(str(Path(sys.executable).parent / "weed"), f"-config_dir={security}", "-logtostderr=true", "server"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", *listening),
        *(f"-filer.localSocket={runtime / 'filer.sock'}", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # fixed ports, where two servers would collide
    ]


def sockets(ports: Mapping[str, int], grpc: Mapping[str, int]) -> list[Path]:
    """The Unix sockets that a SeaweedFS on these ports makes in the machine's shared temporary folder."""
    plain = [SOCKETS / f"seaweedfs-{part}-{ports[part]}.sock" for part in ("s3", "filer") if part in ports]
    return [*plain, *(SOCKETS / f"seaweedfs-{part}-grpc-{port}.sock" for part, port in grpc.items())]


def remove_sockets(paths: list[Path]) -> list[Path]:
    """Remove what an earlier server left behind; answers those that belong to somebody else and stay."""
    foreign = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            foreign.append(path)
    return foreign


def owner_of(path: Path) -> str:
    """Whose a file is, in words."""
    import pwd

    try:
        return pwd.getpwuid(os.lstat(path).st_uid).pw_name
    except (KeyError, OSError):
        return "another user"
