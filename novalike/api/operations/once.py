"""Requests with an Idempotency-Key: sent again, they are answered again, and nothing is made twice.

A retry may come while the first request still runs, after it was answered, or after the process which took it died between
its two transactions. The GLOBAL one, which takes the quota, also stores under the key which servers it is for; who finds the
key there goes on with those.
"""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy.orm import Session

from novalike.api.operations import names
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import idempotency, instances, keys, mappings
from novalike.db.idempotency import Key, Remembered
from novalike.exception import NotFound, Unprocessable
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret

SERVERS, SERVER_GROUPS = "servers", "server_groups"
_SECRET = "idempotent-passwords"  # noqa: S105  # the name of a key, not a key


def key_of(ctxt: RequestContext, operation: str, key: str, body: bytes) -> Key:
    """Answer a client's key in the scope of the caller; `body` is the request in a form which is the same for a retry."""
    mine = f"{ctxt.user_id}\0{key}".encode()
    return Key(
        project_id=ctxt.project_id or "", operation=operation, key_hash=hashlib.sha256(mine).hexdigest(),
        body_hash=hashlib.sha256(body).hexdigest(),
    )


def check(found: Remembered | None) -> Remembered | None:
    """Raise Unprocessable when the key came with another body before."""
    if found is not None and not found.same:
        raise Unprocessable("This Idempotency-Key was used with another request body before.")
    return found


def servers_of(services: ApiServices, key: Key) -> tuple[tuple[Instance, ...], str] | None:
    """Answer the servers which were made under a key and their reservation id; None when not (all of) them are stored yet.

    Raises Unprocessable when the key came with another body before.
    """
    found = check(services.cells.shared.fetch(idempotency.find, key))
    if found is None:
        return None
    try:
        return load(services, found.document["uuids"]), found.document["reservation_id"]
    except NotFound:
        return None


def load(services: ApiServices, uuids: list[str]) -> tuple[Instance, ...]:
    """Answer servers, deleted ones included. Raises NotFound when one was never stored."""
    return tuple(services.cells.of_instance(uuid).fetch(instances.get, uuid, deleted=True) for uuid in uuids)


def resumed(session: Session, key: Key) -> tuple[list[str], str, str] | None:
    """Answer the uuids, cell and reservation id which an earlier request took quota for, under the project's lock.

    They are taken over: nobody else gives their quota back for a while. None when there was no such request, or its quota
    was given back because it died. Raises Unprocessable.
    """
    found = check(idempotency.find(session, key))
    if found is None:
        return None
    uuids: list[str] = found.document["uuids"]
    cell = mappings.take_over(session, uuids)
    if cell is None:
        return None
    return uuids, cell, found.document["reservation_id"]


def password(services: ApiServices, key: Key) -> Secret:
    """Answer the admin password of servers made under a key: the same for every retry, stored nowhere, known to nobody else."""
    secret = keys.key(services.cells.shared, _SECRET)
    told = f"{key.project_id}\0{key.key_hash}\0{key.body_hash}".encode()
    return Secret(names.derived_password(services.conf.password_length, hmac.new(secret, told, hashlib.sha512).digest()))
