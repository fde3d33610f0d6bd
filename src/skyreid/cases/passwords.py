"""Passwords: which are taken, how they are kept, and whether one is right."""

import hashlib
import secrets

from skyreid.building.linking.event_log import check_annotator
from skyreid.errors import SettingError

LEAST_PASSWORD = 12
_N, _R, _P = 2**15, 8, 1
"""Costs of scrypt: 32 MiB and some 0.1 s a try."""
NOBODY = f"scrypt${_N}${_R}${_P}${'00' * 16}${'00' * 32}"
"""A password that nothing matches."""


def hash_new_password(name: str, password: str) -> str:
    """Hash a password once it is none that is guessed first.

    Raises:
        SettingError: it is too easy.
        SourceError: the name cannot be shown.
    """
    check_annotator(name)
    if len(password) < LEAST_PASSWORD or name.casefold() in password.casefold() or len(set(password)) < 5:
        raise SettingError(
            f"a password has at least {LEAST_PASSWORD} characters, five different ones, and not the user's name in it"
        )
    salt = secrets.token_bytes(16)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_scrypt(password, salt, _N, _R, _P).hex()}"


def password_matches(password: str, stored: str) -> bool:
    """Tell whether a password is the one of a hash."""
    _, n, r, p, salt, expected = stored.split("$")
    made = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return secrets.compare_digest(made, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=2**27, dklen=32)
