"""The personas which other rules refer to, as facts/nova-rest-api.tsv names them in default_role."""

from __future__ import annotations

from oslo_policy import policy

ANYONE = "@"                                               # any authenticated
ADMIN = "rule:context_is_admin"
SERVICE_OR_ADMIN = "rule:service_or_admin"
READER_OR_ADMIN = "rule:project_reader_or_admin"           # project reader or admin
MEMBER_OR_ADMIN = "rule:project_member_or_admin"
MANAGER_OR_ADMIN = "rule:project_manager_or_admin"
OWN_USER_OR_ADMIN = "rule:own_user_or_admin"
NOBODY = "!"

RULES = [
    policy.RuleDefault("context_is_admin", "role:admin", description="Administrators of the cloud."),
    policy.RuleDefault("service_or_admin", "role:service or role:admin", description="Other OpenStack services."),
    policy.RuleDefault("project_reader", "role:reader and project_id:%(project_id)s"),
    policy.RuleDefault("project_member", "role:member and project_id:%(project_id)s"),
    policy.RuleDefault("project_manager", "role:manager and project_id:%(project_id)s"),
    policy.RuleDefault("project_reader_or_admin", "rule:project_reader or rule:context_is_admin"),
    policy.RuleDefault("project_member_or_admin", "rule:project_member or rule:context_is_admin"),
    policy.RuleDefault("project_manager_or_admin", "rule:project_manager or rule:context_is_admin"),
    policy.RuleDefault("own_user_or_admin", "user_id:%(user_id)s or rule:context_is_admin"),
]


def operation(
    name: str, check: str, description: str, *operations: tuple[str, str], scopes: tuple[str, ...] = ("project",),
) -> policy.DocumentedRuleDefault:
    """Answer the rule of one or several API operations, given as (method, path).

    As in Nova a token has to be of a project: one of the system or of a domain may do nothing, whatever its roles, unless the
    operation is for those `scopes`.
    """
    return policy.DocumentedRuleDefault(
        name=name, check_str=check, description=description, scope_types=list(scopes),
        operations=[{"method": method, "path": path} for method, path in operations],
    )
