"""Key pairs as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views.times import iso
from novalike.objects.keypair import Keypair
from novalike.objects.secret import Secret

_KEYS = Keys({"type": ("2.2", None), "private_key": (None, "2.91")})


def listed(version: Version, keypair: Keypair) -> dict[str, Any]:
    """Answer an item of the list."""
    return {"keypair": _KEYS.prune(_basics(keypair), version)}


def created(version: Version, keypair: Keypair, private_key: Secret | None) -> dict[str, Any]:
    """Answer a new key pair; this is the only time its private key, if we made it, can be seen."""
    shown = {**_basics(keypair), "user_id": keypair.user_id}
    if private_key is not None:
        shown["private_key"] = private_key.reveal()
    return {"keypair": _KEYS.prune(shown, version)}


def full(version: Version, keypair: Keypair) -> dict[str, Any]:
    """Answer one key pair. The keys about deletion are kept from Nova's rows and never say anything else."""
    shown = {
        **_basics(keypair), "user_id": keypair.user_id, "id": keypair.id, "created_at": iso(keypair.created_at),
        "updated_at": iso(keypair.updated_at), "deleted": False, "deleted_at": None,
    }
    return {"keypair": _KEYS.prune(shown, version)}


def _basics(keypair: Keypair) -> dict[str, Any]:
    return {
        "name": keypair.name, "public_key": keypair.public_key, "fingerprint": keypair.fingerprint, "type": keypair.type,
    }
