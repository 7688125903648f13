"""Rules of the local identity API, by Keystone's names: administrators may everything, users look after their own."""

from __future__ import annotations

import functools

from oslo_policy import policy

from novalike.policies import base
from novalike.policies.base import ADMIN, ANYONE, OWN_USER_OR_ADMIN

#: Keystone is the one service which administrators of the system or of a domain ask.
operation = functools.partial(base.operation, scopes=("system", "domain", "project"))
_OWN_PROJECT_OR_ADMIN = f"project_id:%(project_id)s or {ADMIN}"

_CRUD = (("list", "GET", ""), ("get", "GET", "/{id}"), ("create", "POST", ""), ("update", "PATCH", "/{id}"),
         ("delete", "DELETE", "/{id}"))


def _collection(one: str, many: str, path: str, *, open_to_all: tuple[str, ...] = ()) -> list[policy.RuleDefault]:
    rules: list[policy.RuleDefault] = []
    for verb, method, suffix in _CRUD:
        name = f"identity:{verb}_{many if verb == 'list' else one}"
        check = ANYONE if verb in open_to_all else ADMIN
        rules.append(operation(name, check, f"{verb.capitalize()} {many}.", (method, f"/v3{path}{suffix}")))
    return rules


_GRANTS = "/v3/{target}/{id}/{actors}/{actor_id}/roles/{role_id}"

RULES = [
    *(rule for rule in _collection("domain", "domains", "/domains") if rule.name != "identity:get_domain"),
    operation("identity:get_domain", _OWN_PROJECT_OR_ADMIN, "Show a domain: that of one's own project or user.", ("GET", "/v3/domains/{id}")),
    *(rule for rule in _collection("project", "projects", "/projects") if rule.name != "identity:get_project"),
    operation("identity:get_project", _OWN_PROJECT_OR_ADMIN, "Show a project.", ("GET", "/v3/projects/{id}")),
    *(operation(f"identity:{name}", check, text, (method, f"/v3/projects/{{id}}/tags{suffix}")) for name, check, text, method, suffix in (
        ("list_project_tags", _OWN_PROJECT_OR_ADMIN, "List a project's tags.", "GET", ""),
        ("update_project_tags", ADMIN, "Replace a project's tags.", "PUT", ""),
        ("delete_project_tags", ADMIN, "Take all tags off a project.", "DELETE", ""),
        ("get_project_tag", _OWN_PROJECT_OR_ADMIN, "Check that a project has a tag.", "GET", "/{tag}"),
        ("create_project_tag", ADMIN, "Put a tag on a project.", "PUT", "/{tag}"),
        ("delete_project_tag", ADMIN, "Take a tag off a project.", "DELETE", "/{tag}"),
    )),
    *(rule for rule in _collection("user", "users", "/users") if rule.name != "identity:get_user"),
    operation("identity:get_user", OWN_USER_OR_ADMIN, "Show a user.", ("GET", "/v3/users/{id}")),
    operation("identity:list_user_projects", OWN_USER_OR_ADMIN, "List the projects of a user.", ("GET", "/v3/users/{id}/projects")),
    operation("identity:list_groups_for_user", OWN_USER_OR_ADMIN, "List the groups of a user.", ("GET", "/v3/users/{id}/groups")),
    *_collection("group", "groups", "/groups"),
    operation("identity:list_users_in_group", ADMIN, "List the users of a group.", ("GET", "/v3/groups/{id}/users")),
    operation("identity:add_user_to_group", ADMIN, "Add a user to a group.", ("PUT", "/v3/groups/{id}/users/{user_id}")),
    operation("identity:remove_user_from_group", ADMIN, "Remove a user from a group.", ("DELETE", "/v3/groups/{id}/users/{user_id}")),
    operation("identity:check_user_in_group", ADMIN, "Check that a user is in a group.", ("GET", "/v3/groups/{id}/users/{user_id}")),
    *_collection("role", "roles", "/roles", open_to_all=("list", "get")),
    operation("identity:list_implied_roles", ADMIN, "List the roles which a role implies.", ("GET", "/v3/roles/{id}/implies")),
    operation("identity:get_implied_role", ADMIN, "Check that a role implies another.", ("GET", "/v3/roles/{id}/implies/{implied_id}")),
    operation("identity:create_implied_role", ADMIN, "Let a role imply another.", ("PUT", "/v3/roles/{id}/implies/{implied_id}")),
    operation("identity:delete_implied_role", ADMIN, "End an implication.", ("DELETE", "/v3/roles/{id}/implies/{implied_id}")),
    operation("identity:list_role_inference_rules", ADMIN, "List all implications.", ("GET", "/v3/role_inferences")),
    operation("identity:list_role_assignments", ADMIN, "List role assignments.", ("GET", "/v3/role_assignments")),
    operation("identity:list_grants", ADMIN, "List the roles of a user or group on a target.",
              ("GET", "/v3/{target}/{id}/{actors}/{actor_id}/roles")),
    operation("identity:check_grant", ADMIN, "Check a role of a user or group on a target.", ("GET", _GRANTS)),
    operation("identity:create_grant", ADMIN, "Give a role to a user or group on a target.", ("PUT", _GRANTS)),
    operation("identity:revoke_grant", ADMIN, "Take a role of a user or group on a target away.", ("DELETE", _GRANTS)),
    *_collection("service", "services", "/services"),
    *_collection("endpoint", "endpoints", "/endpoints"),
    *_collection("region", "regions", "/regions", open_to_all=("list", "get")),
    operation("identity:list_access_rules", OWN_USER_OR_ADMIN, "List the access rules of a user's application credentials.",
              ("GET", "/v3/users/{user_id}/access_rules")),
    operation("identity:get_access_rule", OWN_USER_OR_ADMIN, "Show an access rule.", ("GET", "/v3/users/{user_id}/access_rules/{id}")),
    operation("identity:delete_access_rule", OWN_USER_OR_ADMIN, "Delete an access rule (none that is in use, and here they all are).",
              ("DELETE", "/v3/users/{user_id}/access_rules/{id}")),
    operation("identity:list_application_credentials", OWN_USER_OR_ADMIN, "List application credentials.",
              ("GET", "/v3/users/{user_id}/application_credentials")),
    operation("identity:get_application_credential", OWN_USER_OR_ADMIN, "Show an application credential.",
              ("GET", "/v3/users/{user_id}/application_credentials/{id}")),
    operation("identity:create_application_credential", "user_id:%(user_id)s", "Create an application credential.",
              ("POST", "/v3/users/{user_id}/application_credentials")),
    operation("identity:delete_application_credential", OWN_USER_OR_ADMIN, "Delete an application credential.",
              ("DELETE", "/v3/users/{user_id}/application_credentials/{id}")),
    operation("identity:ec2_list_credentials", OWN_USER_OR_ADMIN, "List EC2 credentials.", ("GET", "/v3/users/{user_id}/credentials/OS-EC2")),
    operation("identity:ec2_get_credential", OWN_USER_OR_ADMIN, "Show an EC2 credential.", ("GET", "/v3/users/{user_id}/credentials/OS-EC2/{id}")),
    operation("identity:ec2_create_credential", OWN_USER_OR_ADMIN, "Create an EC2 credential.",
              ("POST", "/v3/users/{user_id}/credentials/OS-EC2")),
    operation("identity:ec2_delete_credential", OWN_USER_OR_ADMIN, "Delete an EC2 credential.",
              ("DELETE", "/v3/users/{user_id}/credentials/OS-EC2/{id}")),
    operation("identity:validate_token", ANYONE, "Validate a token; others' only for administrators and services.", ("GET", "/v3/auth/tokens")),
    operation("identity:validate_any_token", f"role:service or {ADMIN}", "Validate somebody else's token.", ("GET", "/v3/auth/tokens")),
    operation("identity:revoke_token", ANYONE, "Revoke a token; others' only for administrators.", ("DELETE", "/v3/auth/tokens")),
    operation("identity:revoke_any_token", ADMIN, "Revoke somebody else's token.", ("DELETE", "/v3/auth/tokens")),
    operation("identity:get_auth_catalog", ANYONE, "Show one's catalog.", ("GET", "/v3/auth/catalog")),
    operation("identity:get_auth_projects", ANYONE, "List what one may scope a token to: projects.", ("GET", "/v3/auth/projects")),
    operation("identity:get_auth_domains", ANYONE, "List what one may scope a token to: domains.", ("GET", "/v3/auth/domains")),
    operation("identity:get_auth_system", ANYONE, "List what one may scope a token to: the system.", ("GET", "/v3/auth/system")),
]
