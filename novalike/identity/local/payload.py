"""What a token says, packed small enough to travel in every request's header."""

from __future__ import annotations

import base64
import re
import struct
import uuid
from dataclasses import dataclass

_FORM = 1
_METHODS = ("password", "token", "application_credential", "external", "ec2credential")
_SCOPES = ("unscoped", "project", "domain", "system")
_HEX = re.compile(r"[0-9a-f]{32}")
_HEAD = struct.Struct(">BBBQQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Who logged in how, for what, until when. Times are epoch milliseconds; `audit_ids` the token's own, and the one of
    the token it was made from.
    """

    user_id: str
    methods: tuple[str, ...]
    issued_at: int
    expires_at: int
    audit_ids: tuple[str, ...]
    scope_type: str = "unscoped"
    scope_id: str | None = None
    application_credential_id: str | None = None


def new_audit_id() -> str:
    """Answer a fresh audit id in Keystone's form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def pack(payload: Payload) -> bytes:
    """Answer the payload's bytes."""
    methods = sum(1 << _METHODS.index(name) for name in set(payload.methods))
    head = _HEAD.pack(_FORM, methods, _SCOPES.index(payload.scope_type), payload.issued_at, payload.expires_at)
    texts = (payload.user_id, payload.scope_id or "", payload.application_credential_id or "", *payload.audit_ids)
    return head + b"".join(_packed(text) for text in texts)


def unpack(raw: bytes) -> Payload:
    """Answer what `pack` packed. Raises ValueError for anything else."""
    try:
        form, methods, scope, issued_at, expires_at = _HEAD.unpack_from(raw)
        if form != _FORM:
            raise ValueError("a token of an unknown form")
        texts, at = [], _HEAD.size
        while at < len(raw):
            text, at = _unpacked(raw, at)
            texts.append(text)
        user_id, scope_id, credential, *audit_ids = texts
        return Payload(
            user_id=user_id, methods=tuple(name for bit, name in enumerate(_METHODS) if methods & (1 << bit)),
            issued_at=issued_at, expires_at=expires_at, audit_ids=tuple(audit_ids), scope_type=_SCOPES[scope],
            scope_id=scope_id or None, application_credential_id=credential or None,
        )
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("a malformed token") from error


def _packed(text: str) -> bytes:
    if _HEX.fullmatch(text):                     # an id of ours: 17 bytes instead of 33
        return b"\xff" + bytes.fromhex(text)
    raw = text.encode()
    if len(raw) > 0xFE:
        raise ValueError("an id too long for a token")
    return bytes([len(raw)]) + raw


def _unpacked(raw: bytes, at: int) -> tuple[str, int]:
    length = raw[at]
    if length == 0xFF:
        return raw[at + 1 : at + 17].hex(), at + 17
    end = at + 1 + length
    if end > len(raw):
        raise ValueError("a malformed token")
    return raw[at + 1 : end].decode(), end
