"""Changing the password of a guest's administrator: what the task saves, and what it orders its host to do."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.instance import Instance
from novalike.objects.secret import Secret
from novalike.objects.tasks import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordOrder:
    """Give `user` in the guest this password."""

    fence: Fence
    instance: Instance
    user: str
    password: Secret
    deadline: int = 60                           # seconds the host may take


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordState:
    """What the change_password task saves."""

    encrypted_password: str                      # by the Vault; gone with the task
    host: str | None = None
