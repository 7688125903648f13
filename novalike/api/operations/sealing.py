"""Secrets which wait in a task's state."""

from __future__ import annotations

from novalike.api.services import ApiServices
from novalike.db import keys
from novalike.objects.secret import Secret
from novalike.vault import Vault


def seal(services: ApiServices, secret: Secret) -> str:
    """Answer a secret as it may be stored; conductors open it."""
    return Vault(keys.key(services.cells.shared, Vault.NAME)).seal(secret)
