"""Who calls: the personas of the facts' role column, and what each may do by it.

    python -m tests.api.personas > tests/api/data/persona_matrix.tsv
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from novalike.api.http.versions import Version
from novalike.api.openstack.microversions import text
from novalike.context import RequestContext
from tests.api import calls, facts
from tests.api.client import PROJECT, USER
from tests.api.facts import Row
from tests.api.world import SERVICE_USER


@dataclass(frozen=True)
class Persona:
    """A caller with these roles in a project; `roles` None: without a token."""

    name: str
    roles: tuple[str, ...] | None

    def context(self) -> RequestContext | None:
        """Answer who calls; a service has a project of its own."""
        if self.roles is None:
            return None
        project = "service" if self.name == "service" else PROJECT
        user = SERVICE_USER if self.name == "service" else USER
        return RequestContext(user_id=user, project_id=project, roles=self.roles, is_admin="admin" in self.roles)


ADMIN = Persona("admin", ("admin", "manager", "member", "reader"))
MANAGER = Persona("manager", ("manager", "member", "reader"))
MEMBER = Persona("member", ("member", "reader"))
READER = Persona("reader", ("reader",))
SERVICE = Persona("service", ("service",))
NOBODY = Persona("nobody", None)
ALL = (ADMIN, MANAGER, MEMBER, READER, SERVICE, NOBODY)
#: Of what belongs to another project: a service has nothing of its own, and who has no token gets no further anyway.
STRANGERS = (ADMIN, MANAGER, MEMBER, READER)
COLUMNS = (*(f"{who.name}" for who in ALL), *(f"{who.name}-foreign" for who in STRANGERS))

#: The facts' role column -> who passes.
_ADMITTED: dict[str, tuple[Persona, ...]] = {
    "any authenticated": (ADMIN, MANAGER, MEMBER, READER, SERVICE),
    "any authenticated (Glance policy applies)": (ADMIN, MANAGER, MEMBER, READER),
    "admin": (ADMIN,),
    "own user or admin": (ADMIN, MANAGER, MEMBER, READER, SERVICE),
    "project reader or admin": (ADMIN, MANAGER, MEMBER, READER),
    "project member or admin": (ADMIN, MANAGER, MEMBER),
    "project manager or admin": (ADMIN, MANAGER),
    "project manager or admin; with host: admin": (ADMIN, MANAGER),
    "service or admin": (ADMIN, SERVICE),
    "service or admin (swap); project member or admin (2.85 flag)": (ADMIN, SERVICE),
}
#: Path -> the code which others than administrators get who ask for another project's. Whose id names a project is told that
#: it is not theirs; other ids of foreign projects look missing.
_FOREIGN = {"/servers/{": 404, "/os-volumes_boot/{": 404, "/os-server-groups/{": 404, "/os-quota-sets/{": 403, "/os-simple-tenant-usage/{": 403}
#: Anybody may read the defaults, by any project's id.
_OF_ALL = {("GET", "/os-quota-sets/{}/defaults", "")}


def admitted(row: Row) -> tuple[Persona, ...]:
    """Answer who may do an operation in its own project."""
    return _ADMITTED[row.role]


def code(row: Row, version: Version) -> int:
    """Answer the code of an operation which succeeds in the world of calls.py."""
    call = calls.of(row)
    assert call is not None
    return call.code or min(row.codes(version))


def own(row: Row, who: Persona, version: Version) -> int | None:
    """Answer the code which a persona gets for what belongs to its project (or to none); None where others decide."""
    if who is NOBODY:
        return 401
    if who is SERVICE and "Glance" in row.role:
        return None
    if who not in admitted(row):
        return 403
    return code(row, version)


def foreign(row: Row, who: Persona, version: Version) -> int | None:
    """Answer the code which a persona gets for what belongs to another project; None when nothing here belongs to projects."""
    if row.key in _OF_ALL:
        return code(row, version)
    found = next((found for start, found in _FOREIGN.items() if row.path.startswith(start)), None)
    if found is None:
        return None
    if who is ADMIN:
        return code(row, version)
    return found if who in admitted(row) else 403


def version_of(row: Row) -> Version:
    """Answer the version at which the matrix is: an operation's last."""
    return row.last


def lines() -> Iterator[str]:
    """Answer the matrix as the facts have it."""
    yield "# Who may do what: the code each persona gets for what belongs to its own project, then for another project's."
    yield "# Derived from the role column of nova-rest-api.tsv by `python -m tests.api.personas`, at each operation's last microversion."
    yield "# admin, manager, member and reader hold the roles below theirs as well; a service has that role alone; nobody has no token."
    yield "# 403: not by this role. 404: a foreign id looks missing. -: what is asked for belongs to no project, or the image service decides."
    yield "\t".join(("method", "path", "action", "version", *COLUMNS))
    for row in facts.rows():
        if row.kind == "legacy-410" or row.success.startswith("- (always") or calls.of(row) is None:
            continue
        at = version_of(row)
        codes = [own(row, who, at) for who in ALL] + [foreign(row, who, at) for who in STRANGERS]
        yield "\t".join((row.method, row.path, row.action, text(at), *("-" if code is None else str(code) for code in codes)))


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201
