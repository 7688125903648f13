"""Key pairs in no dialect: import, generate, fingerprint."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from novalike.exception import Invalid
from novalike.objects.keypair import Keypair
from novalike.objects.secret import Secret

_RSA_BITS = 2048
_CERTIFICATE_DAYS = 365 * 10
#: Microsoft's "user principal name", in which Windows guests look for the account a certificate belongs to.
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
#: Key types which guests read and the cryptography library does not: (kind of key) with a body we check by shape only.
_SSH_KINDS = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa|sntrup)[a-z0-9@.-]*")


def imported(user_id: str, name: str, kind: str, public_key: str) -> Keypair:
    """Answer a key pair from the public half. Raises Invalid when it is not one of its kind."""
    public_key = public_key.strip()
    fingerprint = ssh_fingerprint(public_key) if kind == "ssh" else x509_fingerprint(public_key)
    return Keypair(user_id=user_id, name=name, type=kind, public_key=public_key, fingerprint=fingerprint)


def generated(user_id: str, name: str, kind: str, *, now: datetime) -> tuple[Keypair, Secret]:
    """Answer a new RSA key pair and its private half, which is stored nowhere."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    if kind == "ssh":
        encoded = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        public, layout = f"{encoded.decode()} Generated-by-Nova", serialization.PrivateFormat.TraditionalOpenSSL
    else:
        public, layout = _certificate(key, user_id, now), serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, layout, serialization.NoEncryption())
    return imported(user_id, name, kind, public), Secret(private.decode())


def ssh_fingerprint(public_key: str) -> str:
    """Answer the MD5 of an OpenSSH public key, in pairs of digits joined by colons. Raises Invalid for anything else."""
    parts = public_key.split(None, 2)
    if "\n" in public_key or len(parts) < 2:
        raise Invalid("Keypair data is invalid: failed to generate fingerprint: the public_key is not one line of an OpenSSH key.")
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("Keypair data is invalid: failed to generate fingerprint: the public_key is not base64.") from error
    # The blob begins with the length and the name of its kind, the word before it.
    kind = parts[0].encode()
    if not _SSH_KINDS.fullmatch(parts[0]) or blob[:4 + len(kind)] != len(kind).to_bytes(4, "big") + kind:
        raise Invalid("Keypair data is invalid: failed to generate fingerprint: the public_key is of no known type.")
    try:
        serialization.load_ssh_public_key(f"{parts[0]} {parts[1]}".encode())
    except UnsupportedAlgorithm:
        pass                                     # a kind newer than our library (security keys): guests may know it
    except ValueError as error:
        raise Invalid("Keypair data is invalid: failed to generate fingerprint: the public_key is damaged.") from error
    return _colons(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def x509_fingerprint(certificate: str) -> str:
    """Answer the SHA-1 of a PEM certificate, in pairs of digits joined by colons. Raises Invalid for anything else."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
        return _colons(parsed.fingerprint(hashes.SHA1()).hex())  # noqa: S303  # what Nova shows; protects nothing
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("Keypair data is invalid: failed to generate X509 fingerprint: the public_key is no PEM certificate.") from error


def _colons(digits: str) -> str:
    return ":".join(digits[index:index + 2] for index in range(0, len(digits), 2))


def _certificate(key: rsa.RSAPrivateKey, user_id: str, now: datetime) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    principal = f"{user_id}@localhost".encode()
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(_UPN, _utf8_string(principal))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def _utf8_string(text: bytes) -> bytes:
    # DER: tag 12, a length in one byte (short form) or two, the text.
    length = bytes([len(text)]) if len(text) < 0x80 else bytes([0x81, len(text)])
    return b"\x0c" + length + text
