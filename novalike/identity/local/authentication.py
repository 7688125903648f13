"""Logging in: by password, by another token, by application credential; for a project, a domain, the system or nothing.

Every failure answers the same 401, and takes the time of a password check, so that it tells nothing about accounts.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, TypeVar

from oslo_config import cfg
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db import identity as db
from novalike.db.engine import Database
from novalike.exception import Invalid, NotBuilt, Unauthorized
from novalike.identity.local import passwords
from novalike.identity.local.payload import Payload, new_audit_id
from novalike.identity.local.tokens import Tokens
from novalike.objects.identity import ApplicationCredential, Domain, Project, User

LOG = logging.getLogger(__name__)
K = TypeVar("K", User, Project)
_REFUSED = "The request you have made requires authentication."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """What one method proved."""

    user_id: str
    methods: tuple[str, ...]
    token: Payload | None = None
    credential: ApplicationCredential | None = None


class Authentication:
    """Answers a token for Keystone's `auth` object."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, tokens: Tokens, clock: Clock) -> None:
        self._rounds = conf.identity.password_hash_rounds
        self._database = database
        self._tokens = tokens
        self._clock = clock

    def log_in(self, auth: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Answer (token, body). Raises Unauthorized, and Invalid for a method named but not given."""
        identity = auth["identity"]
        proofs = [self._prove(method, identity) for method in dict.fromkeys(identity["methods"])]
        if len({proof.user_id for proof in proofs}) != 1:
            raise Unauthorized(_REFUSED)
        return self._tokens.issue(self._payload(proofs, auth.get("scope")))

    def password_matches(self, user: User, password: str) -> bool:
        """Tell whether it is the user's password."""
        return passwords.matches(password, user.password_hash, rounds=self._rounds)

    def _prove(self, method: str, identity: dict[str, Any]) -> _Proof:
        given = identity.get(method)
        if method not in {"password", "token", "application_credential"}:
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method[:64]}.")
        if given is None:
            raise Invalid(f"Expecting to find {method} in identity. The server could not comply with the request since it is "
                          "either malformed or otherwise incorrect.")
        if method == "password":
            return self._by_password(given["user"])
        if method == "token":
            payload = self._tokens.open(given["id"])
            if payload.application_credential_id:
                raise Unauthorized(_REFUSED)     # its rights are narrower than its user's: never widened by a new token
            return _Proof(user_id=payload.user_id, methods=("token", *payload.methods), token=payload)
        return self._by_credential(given)

    def _by_password(self, given: dict[str, Any]) -> _Proof:
        with self._database.read() as session:
            user = _named(session, User, given)
        if not passwords.matches(given["password"], user.password_hash if user else None, rounds=self._rounds) or user is None:
            LOG.info("a login as %s was refused", user.id if user else "an unknown user")
            raise Unauthorized(_REFUSED)
        return _Proof(user_id=user.id, methods=("password",))

    def _by_credential(self, given: dict[str, Any]) -> _Proof:
        with self._database.read() as session:
            if given.get("id"):
                credential = db.find(session, ApplicationCredential, given["id"])
            else:
                user = _named(session, User, given.get("user") or {})
                owned = db.listing(session, ApplicationCredential, user_id=user.id, name=given.get("name") or "") if user else []
                credential = owned[0] if owned else None
        if not passwords.matches(given["secret"], credential.secret_hash if credential else None, rounds=self._rounds):
            credential = None
        if credential is None or (credential.expires_at is not None and credential.expires_at <= self._clock.now()):
            raise Unauthorized(_REFUSED)
        return _Proof(user_id=credential.user_id, methods=("application_credential",), credential=credential)

    def _payload(self, proofs: list[_Proof], scope: Any) -> Payload:
        user_id = proofs[0].user_id
        source = next((proof.token for proof in proofs if proof.token), None)
        credential = next((proof.credential for proof in proofs if proof.credential), None)
        if credential is not None:
            if scope:
                raise Unauthorized("Application credentials cannot request a scope.")
            target: tuple[str, str | None] = ("project", credential.project_id)
        else:
            with self._database.read() as session:
                target = self._target(session, user_id, scope)
        audit_id = new_audit_id()
        return Payload(
            user_id=user_id, methods=tuple(sorted({method for proof in proofs for method in proof.methods})),
            issued_at=self._tokens.now(), expires_at=source.expires_at if source else self._tokens.expiry(),
            audit_ids=(audit_id, source.audit_ids[-1]) if source else (audit_id,),
            scope_type=target[0], scope_id=target[1],
            application_credential_id=credential.id if credential else None,
        )

    @staticmethod
    def _target(session: Session, user_id: str, scope: Any) -> tuple[str, str | None]:
        """Answer (type, id) of the scope asked for, or of the user's default project."""
        if scope == "unscoped" or (isinstance(scope, dict) and "unscoped" in scope):
            return "unscoped", None
        if not scope:
            user = db.find(session, User, user_id)
            wanted = user.default_project_id if user else None
            usable = wanted and db.find(session, Project, wanted) and db.roles_on(session, user_id, "project", wanted)
            return ("project", wanted) if usable else ("unscoped", None)
        if "system" in scope:
            return "system", "all"
        if "domain" in scope:
            domain = _domain(session, scope["domain"])
            if domain is not None:
                return "domain", domain.id
        elif "project" in scope:
            project = _named(session, Project, scope["project"])
            if project is not None:
                return "project", project.id
        else:
            raise NotBuilt("Trusts and federation are not supported by this identity service.")
        raise Unauthorized(_REFUSED)


def _domain(session: Session, given: dict[str, Any]) -> Domain | None:
    if given.get("id"):
        return db.find(session, Domain, given["id"])
    found = db.listing(session, Domain, name=given["name"]) if given.get("name") else []
    return found[0] if found else None


def _named(session: Session, kind: type[K], given: dict[str, Any]) -> K | None:
    """Answer the user or project of this id, or of this name in its domain."""
    if given.get("id"):
        return db.find(session, kind, given["id"])
    domain = _domain(session, given.get("domain") or {})
    if domain is None or not given.get("name"):
        return None
    found = db.listing(session, kind, domain_id=domain.id, name=given["name"])
    return found[0] if found else None
