"""Keys which the processes of one cloud share: made by whoever needs one first, kept in GLOBAL."""

from __future__ import annotations

import contextlib
import secrets as secrets_module

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.orm import Session

from novalike.db.engine import Database
from novalike.db.models.secret_keys import SecretKeyRow


def key(database: Database, name: str) -> bytes:
    """Answer the 32-byte key of this name; the first caller makes it, all others get the same."""
    def read(session: Session) -> str | None:
        return session.scalar(sa.select(SecretKeyRow.value).where(SecretKeyRow.name == name))

    def make(session: Session) -> None:
        session.add(SecretKeyRow(name=name, value=secrets_module.token_hex(32)))

    value = database.fetch(read)
    if value is None:
        with contextlib.suppress(exc.IntegrityError):    # another process made it in the meantime
            database.write(make)
        value = database.fetch(read)
    assert value is not None
    return bytes.fromhex(value)
