"""Tokens: issue, validate, revoke.

A token is an encrypted statement of who logged in for what (payload.py); nothing of it is stored. Whether it still holds is
looked up when it is first seen: the account, the scope and today's roles. The answer is remembered until the identity
revision moves, so that a request costs a dictionary look-up, and a revocation counts at once (other processes: within
`revocation_poll_interval`).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from oslo_config import cfg
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db import identity as db
from novalike.db.engine import Database
from novalike.db.keys import KeyRing
from novalike.exception import Unauthorized
from novalike.identity.local import catalog
from novalike.identity.local.payload import Payload, pack, unpack
from novalike.objects.identity import ApplicationCredential, Domain, Project, Role, User

_REFUSED = "The request you have made requires authentication."


@dataclass(frozen=True, slots=True)
class _Known:
    revision: int
    payload: Payload
    body: dict[str, Any]


class Tokens:
    """Issues tokens, and tells what they stand for. `body` is always Keystone's {"token": {...}}."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, clock: Clock) -> None:
        section = conf.identity
        self._database = database
        self._clock = clock
        self._keys = KeyRing(database, "token", lambda: Fernet.generate_key().decode(), clock)
        self._lifetime: int = section.token_expiration * 1000
        self._window = section.allow_expired_window * 1000
        self._poll = section.revocation_poll_interval
        self._limit = section.token_cache_size
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._revision = -1
        self._polled_at = float("-inf")

    def issue(self, payload: Payload) -> tuple[str, dict[str, Any]]:
        """Make a token and answer it with its body. Raises Unauthorized when the account or its rights do not hold."""
        with self._database.read() as session:
            body = describe(session, payload, now=self._clock.now())
        return self._sealed(payload), body

    def expiry(self) -> int:
        """Answer when a token issued now ends, in epoch milliseconds of a full second."""
        return (self.now() + self._lifetime) // 1000 * 1000

    def now(self) -> int:
        """Answer the time in epoch milliseconds."""
        return int(self._clock.time() * 1000)

    def validate(self, token: str, *, allow_expired: bool = False) -> dict[str, Any]:
        """Answer the body of a token which holds now. The caller must not change it. Raises Unauthorized.

        `allow_expired` accepts one which ended not long ago, when another service vouches for the request.
        """
        return self._lookup(token, allow_expired=allow_expired).body

    def open(self, token: str) -> Payload:
        """Answer what a token which holds now says. Raises Unauthorized."""
        return self._lookup(token, allow_expired=False).payload

    def revoke(self, token: str) -> None:
        """Refuse this token from now on. Raises Unauthorized when it does not hold anyway."""
        payload = self.open(token)
        keep_until = payload.expires_at + self._window
        self._database.write(db.revoke_token, payload.audit_ids[0], expires_at=keep_until, now=self.now())
        self.changed()

    def changed(self) -> None:
        """Look at the revision again at the next request: something was written."""
        self._polled_at = float("-inf")

    def rotate(self) -> None:
        """Make a new key for tokens; those of the last two keys stay valid."""
        self._keys.rotate()

    def _lookup(self, token: str, *, allow_expired: bool) -> _Known:
        key = hashlib.sha256(token.encode(errors="replace")).digest()
        self._follow()
        known = self._known.get(key)
        if known is None or known.revision != self._revision:
            payload = self._opened(token)
            self._check_expiry(payload, allow_expired=allow_expired)
            with self._database.read() as session:
                revision = db.revision(session)  # before the rows: what changes after it makes this entry stale
                known = _Known(revision, payload, describe(session, payload, now=self._clock.now()))
            self._remember(key, known)
            return known
        self._check_expiry(known.payload, allow_expired=allow_expired)
        return known

    def _follow(self) -> None:
        now = self._clock.monotonic()
        if now - self._polled_at >= self._poll:
            self._polled_at = now
            self._revision = self._database.fetch(db.revision)

    def _remember(self, key: bytes, known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)

    def _check_expiry(self, payload: Payload, *, allow_expired: bool) -> None:
        if self.now() >= payload.expires_at + (self._window if allow_expired else 0):
            raise Unauthorized(_REFUSED)

    def _sealed(self, payload: Payload) -> str:
        return Fernet(self._keys.all()[0]).encrypt(pack(payload)).decode().rstrip("=")

    def _opened(self, token: str) -> Payload:
        raw = token.encode(errors="replace") + b"=" * (-len(token) % 4)
        while True:
            try:
                return unpack(MultiFernet([Fernet(key) for key in self._keys.all()]).decrypt(raw))
            except (InvalidToken, ValueError) as error:
                if not self._keys.reload():
                    raise Unauthorized(_REFUSED) from error


def describe(session: Session, payload: Payload, *, now: datetime) -> dict[str, Any]:
    """Answer Keystone's body of a token, from the rows as they are. Raises Unauthorized when it does not hold (any more)."""
    if any(db.is_revoked(session, audit_id) for audit_id in payload.audit_ids[:1]):
        raise Unauthorized(_REFUSED)
    user = _standing(session, User, payload.user_id, payload)
    domain = _standing(session, Domain, user.domain_id, payload)
    token: dict[str, Any] = {
        "methods": list(payload.methods),
        "user": {"id": user.id, "name": user.name, "domain": {"id": domain.id, "name": domain.name}, "password_expires_at": None},
        "audit_ids": list(payload.audit_ids), "issued_at": moment(payload.issued_at), "expires_at": moment(payload.expires_at),
    }
    if payload.scope_type == "unscoped":
        return {"token": token}
    roles, places = _scope(session, payload, token)
    if payload.application_credential_id:
        roles = _credential(session, payload, token, roles, now)
    if not roles:
        raise Unauthorized(_REFUSED)
    token["roles"] = [{"id": role.id, "name": role.name} for role in roles]
    token["catalog"] = catalog.render(session, {"user_id": user.id, **places})
    return {"token": token}


def _standing(session: Session, kind: Any, id: str, payload: Payload) -> Any:
    found = db.find(session, kind, id)
    if found is None or not found.enabled or payload.issued_at < found.tokens_valid_since:
        raise Unauthorized(_REFUSED)
    return found


def _scope(session: Session, payload: Payload, token: dict[str, Any]) -> tuple[list[Role], dict[str, str]]:
    target = payload.scope_id or ""
    places: dict[str, str] = {}
    if payload.scope_type == "project":
        project = _standing(session, Project, target, payload)
        domain = _standing(session, Domain, project.domain_id, payload)
        token["project"] = {"id": project.id, "name": project.name, "domain": {"id": domain.id, "name": domain.name}}
        token["is_domain"] = False
        places = {"project_id": project.id, "tenant_id": project.id}
    elif payload.scope_type == "domain":
        domain = _standing(session, Domain, target, payload)
        token["domain"] = {"id": domain.id, "name": domain.name}
        places = {"domain_id": domain.id}
    else:
        token["system"] = {"all": True}
    return db.roles_on(session, payload.user_id, payload.scope_type, target), places


def _credential(
    session: Session, payload: Payload, token: dict[str, Any], roles: list[Role], now: datetime,
) -> list[Role]:
    credential = db.find(session, ApplicationCredential, payload.application_credential_id or "")
    if credential is None or (credential.expires_at is not None and credential.expires_at <= now):
        raise Unauthorized(_REFUSED)
    granted = db.expanded(session, credential.roles)
    token["application_credential"] = {
        "id": credential.id, "name": credential.name, "restricted": not credential.unrestricted,
    }
    if credential.access_rules is not None:
        token["application_credential"]["access_rules"] = credential.access_rules
    still = {role.id for role in roles}
    if not set(credential.roles) <= still:       # the user lost a role which it had given to the credential
        raise Unauthorized(_REFUSED)
    return [role for role in roles if role.id in granted]


def moment(milliseconds: int) -> str:
    """Answer a time as Keystone writes it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
