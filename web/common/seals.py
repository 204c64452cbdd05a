"""Sealing personal values: AES-256-GCM, key id in the text, HMAC-SHA256 blind index for exact search (ARCHITECTURE 5.12, 5.13).

The key file lives outside database and repository:
    {"active": "k1", "keys": {"k1": "<base64 32 bytes>"}, "blind": "<base64 32 bytes>"}
A value that belongs to one person is sealed with that person's own data key (`PersonKey`), which is itself sealed with the ring:
destroying the row makes everything sealed for that person unreadable while audit chains over the ciphertext stay whole.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class SealBroken(Exception):
    """The value cannot be opened: key destroyed or unknown, or the text was altered."""


def new_ring() -> dict:
    """A fresh key file's content."""
    return {"active": "k1", "keys": {"k1": _b64(os.urandom(32))}, "blind": _b64(os.urandom(32))}


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@lru_cache(maxsize=4)
def _ring(path: str) -> tuple[str, dict[str, AESGCM], bytes]:
    ring = json.loads(Path(path).read_text())
    keys = {name: AESGCM(base64.b64decode(key)) for name, key in ring["keys"].items()}
    return ring["active"], keys, base64.b64decode(ring["blind"])


def ring() -> tuple[str, dict[str, AESGCM], bytes]:
    return _ring(str(settings.SEAL_KEYS_FILE))


def seal(text: str, *, bound_to: str = "") -> str:
    """`k1.<base64 nonce+ciphertext>`; `bound_to` is authenticated too, so a value cannot be moved to another column."""
    active, keys, _ = ring()
    nonce = os.urandom(12)
    return f"{active}.{_b64(nonce + keys[active].encrypt(nonce, text.encode(), bound_to.encode()))}"


def unseal(sealed: str, *, bound_to: str = "") -> str:
    key_id, _, body = sealed.partition(".")
    _, keys, _ = ring()
    if key_id not in keys:
        raise SealBroken(f"unknown key {key_id!r}")
    return _open(keys[key_id], body, bound_to)


def _open(key: AESGCM, body: str, bound_to: str) -> str:
    try:
        raw = base64.b64decode(body)
        return key.decrypt(raw[:12], raw[12:], bound_to.encode()).decode()
    except Exception as error:
        raise SealBroken("the sealed text does not open") from error


def blind(value: str, *, kind: str) -> str:
    """Blind index for exact search: 32 hex digits, the same for the same value of the same kind, useless without the key."""
    _, _, key = ring()
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:32]


def seal_for(person: str, text: str, *, bound_to: str = "") -> str:
    """Seal for one person (`customer:812`); "" = nobody in particular, sealed with the ring."""
    if not person:
        return seal(text, bound_to=bound_to)
    key = _person_key(person, create=True)
    nonce = os.urandom(12)
    return f"p:{person}.{_b64(nonce + key.encrypt(nonce, text.encode(), bound_to.encode()))}"


def unseal_for(sealed: str, *, bound_to: str = "") -> str:
    if not sealed.startswith("p:"):
        return unseal(sealed, bound_to=bound_to)
    person, _, body = sealed[2:].partition(".")
    return _open(_person_key(person, create=False), body, bound_to)


def _person_key(person: str, *, create: bool) -> AESGCM:
    from django.db import IntegrityError, transaction

    from .models import PersonKey

    row = PersonKey.objects.filter(person=person).first()
    if row is None and create:
        try:
            with transaction.atomic():
                row = PersonKey.objects.create(person=person, sealed_key=seal(_b64(os.urandom(32)), bound_to=person))
        except IntegrityError:  # another request made it in the same moment
            row = PersonKey.objects.get(person=person)
    if row is None:
        raise SealBroken(f"the data key of {person} is destroyed")
    return AESGCM(base64.b64decode(unseal(row.sealed_key, bound_to=person)))
