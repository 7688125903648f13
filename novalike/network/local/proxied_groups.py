"""Security groups as compute's API shows and changes them: part of the client in client.py."""

from __future__ import annotations

from typing import Any

from novalike.context import RequestContext
from novalike.db.network_listing import Listing
from novalike.network.local.groups import SecurityGroups
from novalike.network.local.store import Store, scope
from novalike.objects.network import SecurityGroup, SecurityGroupRule

#: The most groups which one list shows.
_MOST = 10_000


class ProxiedGroups:
    """Implements network.client.ProjectGroups; of SecurityGroups, which does the work, it needs no more than a name for each."""

    _store: Store

    def project_groups(self, ctxt: RequestContext, *, everybody: bool = False) -> list[SecurityGroup]:
        """See ProjectGroups."""
        project_id = scope(ctxt) if everybody else ctxt.project_id or "-"
        found = SecurityGroups(self._store).list_page(ctxt, Listing(project_id=project_id, limit=_MOST))
        return sorted(found, key=lambda group: (group.project_id, group.name))

    def group(self, ctxt: RequestContext, group_id: str) -> SecurityGroup:
        """See ProjectGroups."""
        return SecurityGroups(self._store).get(ctxt, group_id)

    def create_group(self, ctxt: RequestContext, name: str, description: str) -> SecurityGroup:
        """See ProjectGroups."""
        return SecurityGroups(self._store).create(ctxt, [{"name": name, "description": description}])[0]

    def change_group(self, ctxt: RequestContext, group_id: str, name: str, description: str) -> SecurityGroup:
        """See ProjectGroups."""
        return SecurityGroups(self._store).update(ctxt, group_id, {"name": name, "description": description})

    def delete_group(self, ctxt: RequestContext, group_id: str) -> None:
        """See ProjectGroups."""
        SecurityGroups(self._store).delete(ctxt, group_id)

    def create_group_rule(self, ctxt: RequestContext, rule: dict[str, Any]) -> SecurityGroupRule:
        """See ProjectGroups."""
        return SecurityGroups(self._store).create_rules(ctxt, [rule])[0]

    def delete_group_rule(self, ctxt: RequestContext, rule_id: str) -> None:
        """See ProjectGroups."""
        SecurityGroups(self._store).delete_rule(ctxt, rule_id)
