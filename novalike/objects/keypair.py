"""Key pairs, owned by users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypair:
    """A public key which a user's new servers accept; `type` is ssh or x509."""

    id: int | None = None
    user_id: str
    name: str
    type: str = "ssh"
    public_key: str
    fingerprint: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
