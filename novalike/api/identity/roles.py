"""Roles, what they imply, and who has them where."""

from __future__ import annotations

from typing import Any

from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.identity import schemas, views
from novalike.api.identity.collection import Collection, flag, new_id
from novalike.db import identity as db
from novalike.exception import Invalid, NotBuilt, NotFound
from novalike.identity.local.service import LocalIdentity
from novalike.objects.identity import Domain, Group, Project, Role, RoleAssignment, User


class Roles(Collection):
    kind, one, many, bodies = Role, "role", "roles", schemas.ROLE
    filters = ("name",)

    def routes(self) -> list[Route]:
        path = "/v3/roles/{id}/implies"
        one = f"{path}/{{implied_id}}"
        return [
            *super().routes(),
            Route(method="GET", path=path, handler=self.implied, rule="identity:list_implied_roles"),
            Route(method="PUT", path=one, handler=self.imply, rule="identity:create_implied_role", status=201),
            Route(method="GET", path=one, handler=self.implies, rule="identity:get_implied_role"),
            Route(method="DELETE", path=one, handler=self.stop_implying, rule="identity:delete_implied_role", status=204),
            Route(method="GET", path="/v3/role_inferences", handler=self.inferences, rule="identity:list_role_inference_rules"),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        if request.GET.get("domain_id"):         # roles here are global: a domain has none of its own
            return views.page(request, "roles", [])
        return super().index(request)

    def made(self, request: Request, given: dict[str, Any]) -> Role:
        if given.get("domain_id"):
            raise NotBuilt("Roles of a domain are not supported.")
        return Role(id=new_id(), name=given["name"], description=given.get("description"))

    def changes(self, request: Request, item: Role, given: dict[str, Any]) -> dict[str, Any]:
        if given.pop("domain_id", None):
            raise Invalid("Invalid input for field 'domain_id': a role cannot move to a domain.")
        return given

    def implied(self, request: Request) -> dict[str, Any]:
        role = self.find(request)
        by_id = {r.id: r for r in self.identity.read(db.listing, Role)}
        return {"role_inference": _inference(request, role, self.identity.read(db.implications).get(role.id, set()), by_id)}

    def imply(self, request: Request) -> dict[str, Any]:
        prior, implied = self._pair(request)
        implications = self.identity.read(db.implications)
        waiting, seen = [implied.id], set()
        while waiting:
            role = waiting.pop()
            if role == prior.id:
                raise Invalid(f"Role {prior.name} cannot imply {implied.name}: it is implied by it.")
            if role not in seen:
                seen.add(role)
                waiting.extend(implications.get(role, ()))
        self.identity.write(db.imply, prior.id, implied.id)
        return _one_inference(request, prior, implied)

    def implies(self, request: Request) -> dict[str, Any] | Response:
        prior, implied = self._pair(request)
        if implied.id not in self.identity.read(db.implications).get(prior.id, ()):
            raise NotFound(f"Role {prior.id} does not imply {implied.id}.")
        if request.method == "HEAD":
            return Response(status=204)
        return _one_inference(request, prior, implied)

    def stop_implying(self, request: Request) -> None:
        prior, implied = self._pair(request)
        self.identity.write(db.stop_implying, prior.id, implied.id)

    def inferences(self, request: Request) -> dict[str, Any]:
        by_id = {r.id: r for r in self.identity.read(db.listing, Role)}
        implications = self.identity.read(db.implications)
        shown = [_inference(request, by_id[prior], implied, by_id) for prior, implied in implications.items() if prior in by_id]
        return views.page(request, "role_inferences", shown)

    def _pair(self, request: Request) -> tuple[Role, Role]:
        return self.find(request), self.identity.read(db.get, Role, request.path_args["implied_id"])


def _brief(request: Request, role: Role) -> dict[str, Any]:
    return {"id": role.id, "name": role.name, "links": {"self": views.link(request, "roles", role.id)}}


def _inference(request: Request, prior: Role, implied: set[str], by_id: dict[str, Role]) -> dict[str, Any]:
    return {
        "prior_role": _brief(request, prior), "implies": [_brief(request, by_id[id]) for id in sorted(implied) if id in by_id],
    }


def _one_inference(request: Request, prior: Role, implied: Role) -> dict[str, Any]:
    return {
        "role_inference": {"prior_role": _brief(request, prior), "implies": _brief(request, implied)},
        "links": {"self": views.link(request, "roles", prior.id, "implies", implied.id)},
    }


class Grants:
    """Roles of one user or group on one project, domain or the system."""

    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        found = []
        for target in ("/v3/projects/{project_id}", "/v3/domains/{domain_id}", "/v3/system"):
            for actor in ("users/{user_id}", "groups/{group_id}"):
                path = f"{target}/{actor}/roles"
                one = f"{path}/{{role_id}}"
                found += [
                    Route(method="GET", path=path, handler=self.index, rule="identity:list_grants"),
                    Route(method="GET", path=one, handler=self.check, rule="identity:check_grant", status=204),
                    Route(method="PUT", path=one, handler=self.give, rule="identity:create_grant", status=204),
                    Route(method="DELETE", path=one, handler=self.take, rule="identity:revoke_grant", status=204),
                ]
        return found

    def index(self, request: Request) -> dict[str, Any]:
        where = self._where(request)
        ids = [assignment.role_id for assignment in self.identity.read(db.assignments, **where)]
        return views.page(request, "roles", [views.role(request, role) for role in self.identity.read(db.listing, Role, ids=ids)])

    def check(self, request: Request) -> None:
        assignment = self._assignment(request)
        found = self.identity.read(
            db.assignments, actor_type=assignment.actor_type, actor_id=assignment.actor_id,
            target_type=assignment.target_type, target_id=assignment.target_id, role_id=assignment.role_id,
        )
        if not found:
            raise NotFound(f"Could not find role assignment with role: {assignment.role_id}.")

    def give(self, request: Request) -> None:
        self.identity.write(db.grant, self._assignment(request))

    def take(self, request: Request) -> None:
        self.identity.write(db.withdraw, self._assignment(request))

    def _where(self, request: Request) -> dict[str, str]:
        given = request.path_args
        actor = "user" if "user_id" in given else "group"
        kind: Any = User if actor == "user" else Group
        actor_id = self.identity.read(db.get, kind, given[f"{actor}_id"]).id
        if "project_id" in given:
            target = ("project", self.identity.read(db.get, Project, given["project_id"]).id)
        elif "domain_id" in given:
            target = ("domain", self.identity.read(db.get, Domain, given["domain_id"]).id)
        else:
            target = ("system", "all")
        return {"actor_type": actor, "actor_id": actor_id, "target_type": target[0], "target_id": target[1]}

    def _assignment(self, request: Request) -> RoleAssignment:
        role = self.identity.read(db.get, Role, request.path_args["role_id"])
        return RoleAssignment(**self._where(request), role_id=role.id)


_FILTERS = ("user.id", "group.id", "role.id", "scope.project.id", "scope.domain.id", "scope.system", "effective",
            "include_names", "include_subtree", "scope.OS-INHERIT:inherited_to")


class Assignments:
    """The list of all grants, with filters."""

    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        return [Route(
            method="GET", path="/v3/role_assignments", handler=self.index, rule="identity:list_role_assignments",
            query=Query({name: Parameter(TEXT) for name in _FILTERS}),
        )]

    def index(self, request: Request) -> dict[str, Any]:
        asked = {name: request.param(name) for name in _FILTERS}
        found = self._found(asked)
        names = _Names(self.identity, found) if _on(asked["include_names"]) else None
        return views.page(request, "role_assignments", [_shown(request, a, names) for a in found])

    def _found(self, asked: dict[str, str | None]) -> list[RoleAssignment]:
        if asked["user.id"] and asked["group.id"]:
            raise Invalid("Specify a user or group, not both")
        if asked["scope.OS-INHERIT:inherited_to"]:
            return []                            # nothing is inherited here
        target: dict[str, str | None] = {}
        for kind in ("project", "domain"):
            if asked[f"scope.{kind}.id"]:
                target = {"target_type": kind, "target_id": asked[f"scope.{kind}.id"]}
        if asked["scope.system"]:
            target = {"target_type": "system", "target_id": "all"}
        if not _on(asked["effective"]):
            actor = next(((kind, asked[f"{kind}.id"]) for kind in ("user", "group") if asked[f"{kind}.id"]), (None, None))
            return self.identity.read(
                db.assignments, **target, actor_type=actor[0], actor_id=actor[1], role_id=asked["role.id"],
            )
        if asked["group.id"]:
            raise Invalid("Combining effective and group filter will always result in an empty list.")
        found = self._effective(self.identity.read(db.assignments, **target))
        return [
            a for a in found
            if asked["user.id"] in {None, a.actor_id} and asked["role.id"] in {None, a.role_id}
        ]

    def _effective(self, assignments: list[RoleAssignment]) -> list[RoleAssignment]:
        """Answer what users have after all: groups replaced by their members, implied roles added."""
        members: dict[str, list[str]] = {}
        effective: dict[RoleAssignment, None] = {}
        for a in assignments:
            if a.actor_type == "group" and a.actor_id not in members:
                members[a.actor_id] = [user.id for user in self.identity.read(db.members_of, a.actor_id)]
            for user in members[a.actor_id] if a.actor_type == "group" else [a.actor_id]:
                for role in sorted(self.identity.read(db.expanded, [a.role_id])):
                    effective[RoleAssignment(
                        actor_type="user", actor_id=user, target_type=a.target_type, target_id=a.target_id, role_id=role,
                    )] = None
        return list(effective)


def _on(text: str | None) -> bool:
    return text is not None and flag(text)


class _Names:
    """Names of what a list of assignments refers to, fetched at once."""

    def __init__(self, identity: LocalIdentity, assignments: list[RoleAssignment]) -> None:
        wanted: dict[Any, set[str]] = {
            User: {a.actor_id for a in assignments if a.actor_type == "user"},
            Group: {a.actor_id for a in assignments if a.actor_type == "group"},
            Project: {a.target_id for a in assignments if a.target_type == "project"},
            Role: {a.role_id for a in assignments},
        }
        self._found = {(kind, item.id): item for kind, ids in wanted.items() for item in identity.read(db.listing, kind, ids=ids)}
        self._found |= {(Domain, item.id): item for item in identity.read(db.listing, Domain)}

    def of(self, kind: Any, id: str) -> dict[str, Any]:
        item: Any = self._found.get((kind, id))
        if item is None:
            return {}
        named = {"name": item.name}
        if hasattr(item, "domain_id"):
            named["domain"] = {"id": item.domain_id, **self.of(Domain, item.domain_id)}
        return named


def _shown(request: Request, a: RoleAssignment, names: _Names | None) -> dict[str, Any]:
    kinds: dict[str, Any] = {"user": User, "group": Group, "project": Project, "domain": Domain}

    def reference(kind: Any, id: str) -> dict[str, Any]:
        return {"id": id, **(names.of(kind, id) if names else {})}
    where: tuple[str, ...] = ("system",) if a.target_type == "system" else (f"{a.target_type}s", a.target_id)
    scope = {"all": True} if a.target_type == "system" else reference(kinds[a.target_type], a.target_id)
    return {
        "role": reference(Role, a.role_id), a.actor_type: reference(kinds[a.actor_type], a.actor_id),
        "scope": {a.target_type: scope},
        "links": {"assignment": views.link(request, *where, f"{a.actor_type}s", a.actor_id, "roles", a.role_id)},
    }
