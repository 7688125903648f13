"""The local identity service of one process: accounts in our database, tokens which every process understands."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from cryptography.fernet import Fernet, MultiFernet
from oslo_config import cfg
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db import identity as db
from novalike.db.cells import Cells
from novalike.db.keys import KeyRing
from novalike.exception import Forbidden, Invalid, Unauthorized
from novalike.identity.local import passwords
from novalike.identity.local.authentication import Authentication
from novalike.identity.local.bootstrap import Bootstrap
from novalike.identity.local.tokens import Tokens
from novalike.objects.identity import ApplicationCredential, Ec2Credential, Project, Role, User

P = ParamSpec("P")
T = TypeVar("T")


def new_id() -> str:
    """Answer a fresh id in Keystone's form."""
    return uuid.uuid4().hex


class LocalIdentity:
    """Everything the identity API and the authentication middleware need; one per process, shared by all its APIs."""

    def __init__(self, conf: cfg.ConfigOpts, cells: Cells, clock: Clock) -> None:
        self.conf = conf
        self.clock = clock
        self._database = cells.shared
        self._rounds = conf.identity.password_hash_rounds
        self.tokens = Tokens(conf, cells.shared, clock)
        self.authentication = Authentication(conf, cells.shared, self.tokens, clock)
        self._credential_keys = KeyRing(cells.shared, "credential", lambda: Fernet.generate_key().decode(), clock)

    def read(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of db.identity which only reads."""
        return self._database.fetch(function, *args, **kwargs)

    def write(self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of db.identity in a transaction; tokens which it affects follow at once."""
        try:
            return self._database.write(function, *args, **kwargs)
        finally:
            self.tokens.changed()

    def bootstrap(
        self, *, admin_password: str, demo_password: str | None = None, endpoints: dict[str, str] | None = None,
        reset_passwords: bool = False,
    ) -> None:
        """Make the first domain, projects (admin, service, demo), users, roles and the catalog; again changes only what
        differs. Users which exist keep their password unless `reset_passwords`; an empty password makes no user.
        `endpoints` (service type to URL) defaults to [endpoints].
        """
        given = {name: text for name, text in (("admin", admin_password), ("demo", demo_password)) if text}
        known = self.read(db.listing, User, domain_id="default")
        absent = set(given) - {user.name for user in known}
        wanted = [name for name in given if reset_passwords or name in absent]
        with ThreadPoolExecutor(max(1, len(wanted))) as threads:  # a good part of a second each
            hashes = dict(zip(wanted, threads.map(self.hashed, [given[name] for name in wanted]), strict=True))
        plan = Bootstrap(
            hashes=hashes, reset=reset_passwords, region=self.conf.identity.region, now=self.tokens.now(),
            endpoints=endpoints if endpoints is not None else configured_endpoints(self.conf),
        )
        self.write(plan.apply)

    def hashed(self, password: str) -> str:
        """Answer what to store for a password. Raises Invalid when it is too long."""
        if len(password) > self.conf.identity.max_password_length:
            raise Invalid("Invalid input for field 'password': it is longer than max_password_length.")
        return passwords.hashed(password, rounds=self._rounds)

    def change_password(self, user_id: str, original: str, password: str) -> None:
        """Change a user's password, proving the old one; all its tokens end. Raises Unauthorized."""
        user = self.read(db.find, User, user_id)
        if user is None or not user.enabled or not self.authentication.password_matches(user, original):
            raise Unauthorized("The request you have made requires authentication.")
        self.write(db.change, User, user_id, password_hash=self.hashed(password), tokens_valid_since=self.tokens.now() + 1)

    def create_application_credential(
        self, *, user_id: str, project_id: str, held: set[str], given: dict[str, Any],
    ) -> tuple[ApplicationCredential, str]:
        """Make an application credential of a user in a project and answer it with its secret, which is shown only once.

        `held` are the caller's role names; it gives away no others. Raises Invalid, Forbidden, Duplicate.
        """
        secret = given.get("secret") or secrets.token_urlsafe(64)
        wanted = given.get("roles") or []
        with self._database.read() as session:
            roles = db.roles_on(session, user_id, "project", project_id)
        chosen: list[Role] = []
        for reference in wanted:
            match = [role for role in roles if reference.get("id") == role.id or ("id" not in reference and reference.get("name") == role.name)]
            if not match:
                raise Invalid("Invalid application credential: Could not find role assignment with role: "
                              f"{str(reference.get('id') or reference.get('name'))[:255]}.")
            chosen += match
        if not wanted:
            chosen = [role for role in roles if role.name in held]
        if not chosen:
            raise Forbidden("The user has no role in the project.")
        credential = ApplicationCredential(
            id=new_id(), user_id=user_id, project_id=project_id, name=given["name"], description=given.get("description"),
            secret_hash=self.hashed(secret), roles=[role.id for role in chosen],
            unrestricted=bool(given.get("unrestricted")), access_rules=given.get("access_rules"),
            expires_at=given.get("expires_at"), created_at=self.clock.now(),
        )
        return self.write(db.add, credential), secret

    def create_ec2_credential(self, user_id: str, project_id: str) -> Ec2Credential:
        """Make an access key. Raises NotFound for an unknown project, Unauthorized when the user has no role in it."""
        with self._database.read() as session:
            db.get(session, User, user_id)
            db.get(session, Project, project_id)
            if not db.roles_on(session, user_id, "project", project_id):
                raise Unauthorized(f"User {user_id} has no access to project {project_id}.")
        sealed = self._vault().encrypt(uuid.uuid4().hex.encode()).decode()
        return self.write(db.add, Ec2Credential(
            access=new_id(), secret_encrypted=sealed, user_id=user_id, project_id=project_id, created_at=self.clock.now(),
        ))

    def ec2_secret(self, credential: Ec2Credential) -> str:
        """Answer the secret of an access key."""
        return self._vault().decrypt(credential.secret_encrypted.encode()).decode()

    def _vault(self) -> MultiFernet:
        return MultiFernet([Fernet(key) for key in self._credential_keys.all()])


def configured_endpoints(conf: cfg.ConfigOpts) -> dict[str, str]:
    """Answer the URLs of [endpoints] by service type, without those left empty."""
    return {name: conf.endpoints[name] for name in ("compute", "identity", "image", "network") if conf.endpoints[name]}
