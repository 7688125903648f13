"""Server groups in no dialect: make one, and find the one a new server shall join."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from novalike.api.operations import quotas
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import server_groups
from novalike.exception import Forbidden, Invalid
from novalike.objects.server_group import ANTI_AFFINITY, ServerGroup


def create(services: ApiServices, ctxt: RequestContext, *, name: str, policy: str, rules: Mapping[str, int]) -> ServerGroup:
    """Make a group of the caller's project. Raises Invalid for rules which its policy has not, OverQuota."""
    if ctxt.project_id is None or ctxt.user_id is None:
        raise Forbidden("A project scope is required.")
    if rules and policy != ANTI_AFFINITY:
        raise Invalid("Only anti-affinity policy supports rules.")
    wanted = ServerGroup(
        uuid=str(uuid.uuid4()), name=name, project_id=ctxt.project_id, user_id=ctxt.user_id, policy=policy, rules=dict(rules),
    )
    return services.cells.shared.write(
        server_groups.create, wanted, cell=services.cells.for_new_instance(), now=services.clock.now(),
        defaults=quotas.defaults(services.conf.quota),
    )


def hinted(services: ApiServices, ctxt: RequestContext, hints: Mapping[str, object]) -> ServerGroup | None:
    """Answer the group which scheduler hints name, without its members. Raises Invalid when the caller may not know of it."""
    wanted = hints.get("group")
    if not wanted:
        return None
    group = services.cells.shared.fetch(server_groups.find, str(wanted))
    if group is None or not (ctxt.is_admin or group.project_id == ctxt.project_id):
        raise Invalid(str(server_groups.missing(str(wanted))))
    return group
