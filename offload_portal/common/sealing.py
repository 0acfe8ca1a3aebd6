"""Secrets that must be read again (private keys) are kept sealed with a key of SECRET_KEY's.

Each purpose has a key of its own, so that what was sealed for one can't be opened for another.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

KEY_BYTES = 32


class SealBrokenError(Exception):
    """What was sealed can't be opened: SECRET_KEY is another one now, or the text was changed."""


def derived(purpose: str, length: int = KEY_BYTES) -> bytes:
    """Bytes that follow from SECRET_KEY and the purpose, and tell nothing of either."""
    hkdf = HKDF(algorithm=SHA256(), length=length, salt=None, info=b"portal:" + purpose.encode())
    return hkdf.derive(settings.SECRET_KEY.encode())


def seal(text: str, purpose: str) -> str:
    """The text, encrypted and signed; ASCII."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    """The text that was sealed for this purpose."""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBrokenError(f"What was sealed for {purpose} can't be opened.") from None


def _box(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived(purpose)))
