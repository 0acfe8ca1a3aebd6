"""Secrets that the embedded default makes for itself on its first start."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def _keep(path: Path, made: str) -> str:
    """Write a secret that only the owner reads; whoever comes second reads the first one's."""
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(made)
    try:
        os.link(waiting, path)
    except FileExistsError:
        return path.read_text()
    finally:
        waiting.unlink()
    return made


def kept_secret(path: Path) -> str:
    """The text of the file at `path`; made of 64 random bytes where it is missing."""
    if path.exists():
        return path.read_text()
    return _keep(path, secrets.token_urlsafe(64))


def kept_rsa_key(path: Path, given: str) -> str:
    """A PEM key for signing identity tokens: the given one, or one kept at `path`."""
    if given:
        return given
    if path.exists():
        return path.read_text()
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _keep(path, pem.decode())
