"""Texts which must lie encrypted while they wait in a database (a new server's admin password)."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet

from novalike.objects.secret import Secret


class Vault:
    """Encrypts and decrypts with one 32-byte key, which all processes of the cloud share (db/keys.py, under its NAME)."""

    NAME = "task-state"

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, secret: Secret) -> str:
        """Answer the text, encrypted."""
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def open(self, sealed: str) -> Secret:
        """Answer the text again. Raises cryptography.fernet.InvalidToken for a foreign or changed one."""
        return Secret(self._fernet.decrypt(sealed.encode()).decode())
