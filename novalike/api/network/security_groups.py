"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.network.attributes import FLAG, ID, IDENTITY, NAME, PROJECT, TEXT, TIMES, Attribute, moment
from novalike.api.network.collection import Collection
from novalike.context import RequestContext
from novalike.network.local.service import LocalNetworks
from novalike.objects.network import SecurityGroup, SecurityGroupRule

_NULLABLE_INTEGER = {"type": ["integer", "string", "null"], "pattern": r"^-?[0-9]{1,6}$"}
_NULLABLE_TEXT = {"type": ["string", "null"], "maxLength": 64}


def _number(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


GROUP = (
    *(attribute for attribute in IDENTITY if attribute.name != "name"),
    Attribute(name="name", schema=NAME, create=True, update=True),
    Attribute(name="stateful", schema=FLAG, create=True, update=True),
    Attribute(name="shared", constant=False),
    Attribute(name="security_group_rules", computed=True),
    *TIMES,
)

RULE = (
    Attribute(name="id"),
    Attribute(name="project_id", schema=PROJECT, create=True),
    Attribute(name="tenant_id", schema=PROJECT, field="project_id", create=True),
    Attribute(name="description", schema=TEXT, create=True),
    Attribute(name="security_group_id", schema=ID, create=True, required=True),
    Attribute(name="direction", schema={"enum": ["ingress", "egress"]}, create=True, required=True),
    Attribute(name="ethertype", schema={"type": ["string", "null"], "pattern": "^[iI][pP][vV][46]$"}, create=True, read=lambda v: f"IPv{v[-1]}" if v else "IPv4"),
    Attribute(name="protocol", schema={"type": ["string", "integer", "null"], "maxLength": 40}, create=True, read=lambda v: None if v is None else str(v)),
    Attribute(name="port_range_min", schema=_NULLABLE_INTEGER, create=True, read=_number),
    Attribute(name="port_range_max", schema=_NULLABLE_INTEGER, create=True, read=_number),
    Attribute(name="remote_ip_prefix", schema=_NULLABLE_TEXT, create=True, read=lambda v: v or None),
    Attribute(name="remote_group_id", schema={"type": ["string", "null"], "maxLength": 36}, create=True, read=lambda v: v or None),
    *TIMES,
)


def _render_rule(rule: SecurityGroupRule) -> dict[str, Any]:
    view = {attribute.name: getattr(rule, attribute.of) for attribute in RULE}
    return view | {"created_at": moment(rule.created_at), "updated_at": moment(rule.updated_at)}


def _group_extra(request: Request, found: list[SecurityGroup]) -> list[dict[str, Any]]:
    return [{"security_group_rules": [_render_rule(rule) for rule in group.rules]} for group in found]


class _Rules:
    """The service's rules under the names which a collection calls."""

    def __init__(self, local: LocalNetworks) -> None:
        self._groups = local.security_groups
        self.get, self.delete, self.create = self._groups.get_rule, self._groups.delete_rule, self._groups.create_rules

    def update(self, ctxt: RequestContext, key: str, changes: dict[str, Any]) -> SecurityGroupRule:
        """Rules do not change; the collection offers no update."""
        raise NotImplementedError


def routes(local: LocalNetworks) -> list[Route]:
    """Answer the routes of security groups and rules."""
    groups = local.security_groups
    return [
        *Collection(
            "security_group", "security_groups", GROUP, groups, path="security-groups", guard=local.expecting, extra=_group_extra,
            list_page=lambda request, listing: groups.list_page(request.context, listing),
        ).routes(),
        *Collection(
            "security_group_rule", "security_group_rules", RULE, _Rules(local), path="security-group-rules", can_update=False, guard=local.expecting,
            list_page=lambda request, listing: groups.list_rules(request.context, listing),
        ).routes(),
    ]
