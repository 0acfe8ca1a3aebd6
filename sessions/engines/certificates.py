"""Certificates of the engines' door: who may speak to which engine.

Each session has an authority of its own. It signs one certificate of the server and one of the
client, and then its key is thrown away: nobody, the portal included, can sign a third.

Where all sessions share one host name, the door must show its certificate before it knows whose
client is calling, so there it shows one of the door's own authority, whose key follows from
SECRET_KEY. The client is checked by its session's own authority in both cases.
"""

import ipaddress
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from offload_portal.common.sealing import derived

# A client whose clock is behind must not find its certificate unborn.
BACKDATED = timedelta(hours=1)
CURVE = ec.SECP256R1()
DOOR = "Offload Portal engine door"
# What private keys are sealed for (`offload_portal.common.sealing`).
SEAL = "engine keys"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class SessionCertificates:
    authority: str
    server: Pair
    client: Pair


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs from `since` until `until`."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    since: datetime
    until: datetime


def make_certificates(
    session_id: uuid.UUID, server_names: Sequence[str], *, at: datetime, until: datetime
) -> SessionCertificates:
    """What one session needs; the authority's key does not leave this function."""
    key = ec.generate_private_key(CURVE)
    since = at - BACKDATED
    authority = Authority(_root(issuer_name(session_id), key, since, until), key, since, until)
    return SessionCertificates(
        authority=_pem(authority.certificate),
        server=_signed(authority, server_names[0], server_names),
        client=_signed(authority, str(session_id), ()),
    )


def server_name(session_id: uuid.UUID, public_host: str) -> str:
    """The name that the session's client asks for; `*.` before a host gives each its own."""
    if public_host.startswith("*."):
        return f"{session_id.hex}{public_host[1:]}"
    return public_host


def names_of(host: str) -> tuple[str, ...]:
    """All that a server of this name goes by: where it is this machine, each way to say so."""
    if not _is_local(host):
        return (host,)
    return (host, *(name for name in LOCAL_NAMES if name != host))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def issuer_name(session_id: uuid.UUID) -> str:
    """The common name of the session's authority."""
    return f"session {session_id}"


def session_of_issuer(certificate: bytes) -> uuid.UUID | None:
    """The session whose authority claims to have signed this certificate (DER)."""
    issuer = x509.load_der_x509_certificate(certificate).issuer
    names = issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        return uuid.UUID(str(names[0].value).removeprefix("session "))
    except (IndexError, ValueError):
        return None


def is_signed_by(certificate: bytes, authority: str) -> bool:
    """Whether the authority (PEM) itself signed the certificate (DER)."""
    issuer = x509.load_pem_x509_certificate(authority.encode())
    try:
        x509.load_der_x509_certificate(certificate).verify_directly_issued_by(issuer)
    except Exception:  # several kinds of wrong, and all mean no
        return False
    return True


def door_authority(*, at: datetime, until: datetime) -> str:
    """The door's authority (PEM) as a client of a shared host name trusts it until then."""
    return _pem(_door(at, until).certificate)


def door_certificate(server_names: Sequence[str], *, at: datetime, until: datetime) -> Pair:
    """What the door shows to those who ask for a shared host name."""
    return _signed(_door(at, until), server_names[0], server_names)


def _door(at: datetime, until: datetime) -> Authority:
    """Any process makes the same key and name, so what one signs the other's clients trust."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    number = int.from_bytes(derived("engine door authority", 48)) % (order - 1) + 1
    key = ec.derive_private_key(number, CURVE)
    since = at - BACKDATED
    return Authority(_root(DOOR, key, since, until), key, since, until)


def _root(
    name: str, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.Certificate:
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), since, until)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )


def _signed(authority: Authority, name: str, server_names: Sequence[str]) -> Pair:
    """Of a server where there are names that it goes by, else of a client."""
    key = ec.generate_private_key(CURVE)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_names else ExtendedKeyUsageOID.CLIENT_AUTH
    issuer = authority.certificate
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_name(name), issuer.subject, key.public_key(), authority.since, authority.until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    if server_names:
        names = x509.SubjectAlternativeName([_alternative(each) for each in server_names])
        builder = builder.add_extension(names, critical=False)
    return Pair(_pem(builder.sign(authority.key, SHA256())), _key_pem(key))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    since: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    """Of at most 64 characters; what a server goes by stands in its alternative names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
