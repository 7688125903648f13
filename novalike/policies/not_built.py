"""Who may learn that an operation does not exist here."""

from __future__ import annotations

from novalike.policies.base import ANYONE, operation

RULES = [
    operation("os_compute_api:not_built", ANYONE, "Operations which answer 410 or 501, whoever asks.", ("ANY", "various")),
]
