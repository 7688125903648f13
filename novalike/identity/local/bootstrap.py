"""The first accounts and the catalog, in one transaction which may run again."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from novalike.db import identity as db
from novalike.objects.identity import Domain, Endpoint, Project, Region, Role, RoleAssignment, ServiceEntry, User

DEFAULT_DOMAIN = "default"
#: Each implies the next.
ROLES = ("admin", "manager", "member", "reader")
PROJECTS = {
    "admin": "Bootstrap project for initializing the cloud.", "service": "Where the cloud's own services work.",
    "demo": "A project to try things in.",
}
NAMES = {"compute": "nova", "identity": "keystone", "image": "glance", "network": "neutron", "volumev3": "cinderv3"}


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """`hashes` are the password hashes of users to make or, with `reset`, to change."""

    hashes: dict[str, str]
    endpoints: dict[str, str]
    region: str
    now: int
    reset: bool = False

    def apply(self, session: Session) -> None:
        """Make whatever is missing."""
        db.touch(session)
        if db.find(session, Domain, DEFAULT_DOMAIN) is None:
            db.add(session, Domain(id=DEFAULT_DOMAIN, name="Default", description="The default domain"))
        roles = self._roles(session)
        projects = {name: self._project(session, name, text) for name, text in PROJECTS.items()}
        users = {name: self._user(session, name) for name in ("admin", "demo")}
        if admin := users["admin"]:
            for kind, target in (("project", projects["admin"]), ("system", "all"), ("project", projects["demo"])):
                db.grant(session, _assignment(admin, kind, target, roles["admin"]))
        if demo := users["demo"]:
            db.grant(session, _assignment(demo, "project", projects["demo"], roles["member"]))
        self._catalog(session)

    @staticmethod
    def _roles(session: Session) -> dict[str, str]:
        known = {role.name: role.id for role in db.listing(session, Role)}
        for name in (*ROLES, "service"):
            if name not in known:
                known[name] = db.add(session, Role(id=uuid.uuid4().hex, name=name)).id
        for prior, implied in itertools.pairwise(ROLES):
            db.imply(session, known[prior], known[implied])
        return known

    @staticmethod
    def _project(session: Session, name: str, description: str) -> str:
        found = db.listing(session, Project, domain_id=DEFAULT_DOMAIN, name=name)
        if found:
            return found[0].id
        return db.add(session, Project(
            id=uuid.uuid4().hex, name=name, domain_id=DEFAULT_DOMAIN, parent_id=DEFAULT_DOMAIN, description=description,
        )).id

    def _user(self, session: Session, name: str) -> str | None:
        found = db.listing(session, User, domain_id=DEFAULT_DOMAIN, name=name)
        hashed = self.hashes.get(name)
        if found:
            if hashed and self.reset:
                db.change(session, User, found[0].id, password_hash=hashed, enabled=True, tokens_valid_since=self.now)
            return found[0].id
        if not hashed:
            return None
        return db.add(session, User(id=uuid.uuid4().hex, name=name, domain_id=DEFAULT_DOMAIN, password_hash=hashed)).id

    def _catalog(self, session: Session) -> None:
        if db.find(session, Region, self.region) is None:
            db.add(session, Region(id=self.region, description=""))
        for kind, url in self.endpoints.items():
            services = db.listing(session, ServiceEntry, type=kind)
            service = services[0] if services else db.add(
                session, ServiceEntry(id=uuid.uuid4().hex, type=kind, name=NAMES.get(kind, kind)),
            )
            for interface in ("public", "internal", "admin"):
                known = db.listing(session, Endpoint, service_id=service.id, interface=interface, region_id=self.region)
                if not known:
                    db.add(session, Endpoint(
                        id=uuid.uuid4().hex, service_id=service.id, interface=interface, region_id=self.region, url=url,
                    ))
                elif known[0].url != url:
                    db.change(session, Endpoint, known[0].id, url=url)


def _assignment(user_id: str, target_type: str, target_id: str, role_id: str) -> RoleAssignment:
    return RoleAssignment(actor_type="user", actor_id=user_id, target_type=target_type, target_id=target_id, role_id=role_id)
