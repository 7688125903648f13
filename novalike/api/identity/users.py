"""Users and groups."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import PUBLIC, Request, Route
from novalike.api.identity import schemas, views
from novalike.api.identity.collection import Collection, home_domain, new_id, rest
from novalike.db import identity as db
from novalike.objects.identity import Domain, Group, Project, User

_FIELDS = ("name", "description", "enabled", "domain_id", "default_project_id", "email", "password", "password_expires_at")


class Users(Collection):
    kind, one, many, bodies = User, "user", "users", schemas.USER
    filters = ("name", "enabled", "domain_id")

    def routes(self) -> list[Route]:
        return [
            *super().routes(),
            # Whoever knows the old password needs no token, as in Keystone: an expired password can be changed too.
            Route(method="POST", path="/v3/users/{id}/password", handler=self.change_password, rule=PUBLIC,
                  body=schemas.PASSWORD_CHANGE, status=204),
            Route(method="GET", path="/v3/users/{id}/projects", handler=self.projects, rule="identity:list_user_projects"),
            Route(method="GET", path="/v3/users/{id}/groups", handler=self.groups, rule="identity:list_groups_for_user"),
        ]

    def target_by_id(self, request: Request) -> dict[str, Any]:
        return {"user_id": request.path_args["id"]}

    def made(self, request: Request, given: dict[str, Any]) -> User:
        domain = given.get("domain_id") or home_domain(request.context)
        self.identity.read(db.get, Domain, domain)
        password = given.get("password")
        return User(
            id=new_id(), name=given["name"], domain_id=domain, enabled=given.get("enabled", True),
            default_project_id=given.get("default_project_id"), email=given.get("email"), description=given.get("description"),
            password_hash=self.identity.hashed(password) if password is not None else None, extra=rest(given, *_FIELDS),
        )

    def changes(self, request: Request, item: User, given: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "description", "enabled", "default_project_id", "email")
        changed: dict[str, Any] = {name: given[name] for name in names if name in given}
        if "password" in given:
            password = given["password"]
            changed["password_hash"] = self.identity.hashed(password) if password is not None else None
        if "password" in given or (item.enabled and given.get("enabled") is False):
            changed["tokens_valid_since"] = self.identity.tokens.now() + 1
        more = rest(given, *_FIELDS)
        if more:
            changed["extra"] = {**item.extra, **more}
        return changed

    def change_password(self, request: Request) -> None:
        given = request.body_value["user"]
        self.identity.change_password(request.path_args["id"], given["original_password"], given["password"])

    def projects(self, request: Request) -> dict[str, Any]:
        request.authorize(request.route.rule, self.target_by_id(request))
        user = self.find(request)
        ids = self.identity.read(db.targets_of, user.id, "project")
        found = self.identity.read(db.listing, Project, ids=ids)
        return views.page(request, "projects", [views.project(request, item) for item in found])

    def groups(self, request: Request) -> dict[str, Any]:
        request.authorize(request.route.rule, self.target_by_id(request))
        user = self.find(request)
        found = self.identity.read(db.groups_of, user.id)
        return views.page(request, "groups", [views.group(request, item) for item in found])


class Groups(Collection):
    kind, one, many, bodies = Group, "group", "groups", schemas.GROUP
    filters = ("name", "domain_id")

    def routes(self) -> list[Route]:
        path = "/v3/groups/{id}/users"
        member = f"{path}/{{user_id}}"
        return [
            *super().routes(),
            Route(method="GET", path=path, handler=self.users, rule="identity:list_users_in_group"),
            Route(method="PUT", path=member, handler=self.add, rule="identity:add_user_to_group", status=204),
            Route(method="GET", path=member, handler=self.check, rule="identity:check_user_in_group", status=204),
            Route(method="DELETE", path=member, handler=self.take_out, rule="identity:remove_user_from_group", status=204),
        ]

    def made(self, request: Request, given: dict[str, Any]) -> Group:
        domain = given.get("domain_id") or home_domain(request.context)
        self.identity.read(db.get, Domain, domain)
        return Group(id=new_id(), name=given["name"], domain_id=domain, description=given.get("description"))

    def users(self, request: Request) -> dict[str, Any]:
        group = self.find(request)
        found = self.identity.read(db.members_of, group.id)
        return views.page(request, "users", [views.user(request, item) for item in found])

    def add(self, request: Request) -> None:
        self.identity.write(db.add_member, *self._both(request))

    def check(self, request: Request) -> None:
        group_id, user_id = self._both(request)
        if not self.identity.read(db.is_member, group_id, user_id):
            raise db.no_member(group_id, user_id)

    def take_out(self, request: Request) -> None:
        self.identity.write(db.remove_member, *self._both(request))

    def _both(self, request: Request) -> tuple[str, str]:
        user = self.identity.read(db.get, User, request.path_args["user_id"])
        return self.find(request).id, user.id
