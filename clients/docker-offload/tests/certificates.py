"""A company's certificate authority."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from docker_offload.docker import EngineFiles


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(subject, key, issuer, issuer_key, *, authority):
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    builder = x509.CertificateBuilder(
        named(issuer), named(subject), key.public_key(), x509.random_serial_number(),
        now - day, now + day,
    )  # fmt: skip
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    signing = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    for extension in (names, own, signing):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def company_files(directory):
    """Files of an authority, and of a server's certificate for localhost by it."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority = certificate("Company", keys[0], "Company", keys[0], authority=True)
    server = certificate("localhost", keys[1], "Company", keys[0], authority=False)
    pem = serialization.Encoding.PEM
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = EngineFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")
    files.ca.write_bytes(authority.public_bytes(pem))
    files.certificate.write_bytes(server.public_bytes(pem))
    files.key.write_bytes(keys[1].private_bytes(pem, *private))
    return files
