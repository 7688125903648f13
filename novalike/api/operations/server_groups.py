"""Server groups in no dialect: make one, and find the one a new server shall join."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy.orm import Session

from novalike.api.operations import once, quotas
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import idempotency, server_groups
from novalike.db import quotas as quota_rows
from novalike.db.idempotency import Key
from novalike.exception import Forbidden, Invalid
from novalike.objects.server_group import ANTI_AFFINITY, ServerGroup


def create(services: ApiServices, ctxt: RequestContext, *, name: str, policy: str, rules: Mapping[str, int], key: Key | None = None) -> ServerGroup:
    """Make a group of the caller's project, or answer the one which was made under this key.

    Raises Invalid for rules which its policy has not, OverQuota, Unprocessable.
    """
    if ctxt.project_id is None or ctxt.user_id is None:
        raise Forbidden("A project scope is required.")
    if rules and policy != ANTI_AFFINITY:
        raise Invalid("Only anti-affinity policy supports rules.")
    wanted = ServerGroup(
        uuid=str(uuid.uuid4()), name=name, project_id=ctxt.project_id, user_id=ctxt.user_id, policy=policy, rules=dict(rules),
    )
    cell, now, limits = services.cells.for_new_instance(), services.clock.now(), quotas.defaults(services.conf.quota)

    def make(session: Session) -> ServerGroup:
        if key is not None:
            quota_rows.lock(session, f"project:{wanted.project_id}")
            before = once.check(idempotency.find(session, key))
            if before is not None:
                return server_groups.get(session, before.document["uuid"], project_id=wanted.project_id)
            idempotency.remember(session, key, {"uuid": wanted.uuid})
        return server_groups.create(session, wanted, cell=cell, now=now, defaults=limits)
    return services.cells.shared.write(make)


def hinted(services: ApiServices, ctxt: RequestContext, hints: Mapping[str, object]) -> ServerGroup | None:
    """Answer the group which scheduler hints name, without its members. Raises Invalid when the caller may not know of it."""
    wanted = hints.get("group")
    if not wanted:
        return None
    group = services.cells.shared.fetch(server_groups.find, str(wanted))
    if group is None or not (ctxt.is_admin or group.project_id == ctxt.project_id):
        raise Invalid(str(server_groups.missing(str(wanted))))
    return group
