"""A root of our own and a certificate for localhost, both RSA like those of the real service."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_BITS: Final = 2_048
_SIGNS: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files in PEM: the trusted root, the service's own certificate and its key."""

    roots: Path
    own: Path
    key: Path


def make(folder: Path) -> Certificates:
    """Write certificates that are good for a day."""
    root_key, own_key = (
        rsa.generate_private_key(public_exponent=65_537, key_size=_BITS) for _ in range(2)
    )
    root_name = _name("Benchmark root")
    root = (
        _certificate(root_name, root_name, root_key, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
    )
    own = _certificate(_name("localhost"), root_name, own_key, root_key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    made = Certificates(roots=folder / "roots.pem", own=folder / "own.pem", key=folder / "own.key")
    pem = serialization.Encoding.PEM
    made.roots.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    made.own.write_bytes(own.sign(root_key, hashes.SHA256()).public_bytes(pem))
    made.key.write_bytes(
        own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    own, issuers = key.public_key(), signer.public_key()
    # From Python 3.13 on, certificates without both identifiers are refused.
    return (
        x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=issuer,
            public_key=own,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers), critical=False)
    )
