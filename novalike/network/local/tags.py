"""Words which users put on their things to find them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.context import RequestContext
from novalike.db import network_listing
from novalike.db.models.networks import NetworkRow, PortRow, SecurityGroupRow, SecurityGroupRuleRow, SubnetRow
from novalike.db.models.routers import FloatingIpRow, RouterRow, SubnetPoolRow
from novalike.network import errors
from novalike.network.local import store
from novalike.network.local.store import Change, Store
from novalike.network.local.subnet_pools import visible_pool

MAX_TAGS = 50

#: By collection: who may see and change one, and its table.
_KINDS: dict[str, tuple[Callable[..., Any], Any, dict[str, Any]]] = {
    "networks": (store.visible_network, NetworkRow, {"change": True}),
    "subnets": (store.visible_subnet, SubnetRow, {"change": True}),
    "ports": (store.visible_port, PortRow, {}),
    "routers": (store.visible_router, RouterRow, {}),
    "floatingips": (store.visible_floating, FloatingIpRow, {}),
    "subnetpools": (visible_pool, SubnetPoolRow, {"change": True}),
    "security-groups": (store.visible_group, SecurityGroupRow, {}),
}
COLLECTIONS = tuple(_KINDS)
#: The table of each collection whose things have revisions.
TABLES = {collection: model for collection, (_, model, _) in _KINDS.items()} | {"security-group-rules": SecurityGroupRuleRow}


class Tags:
    """The tags of everything in a collection of COLLECTIONS. All methods raise the collection's NotFound."""

    def __init__(self, shared: Store) -> None:
        self._store = shared

    def of(self, ctxt: RequestContext, collection: str, key: str) -> tuple[str, ...]:
        """Answer a thing's tags."""
        visible = _KINDS[collection][0]
        return tuple(self._store.database.fetch(lambda session: visible(session, ctxt, key)).tags)

    def set(self, ctxt: RequestContext, collection: str, key: str, tags: list[str]) -> tuple[str, ...]:
        """Replace a thing's tags. Raises InvalidInput for too many."""
        return self._change(ctxt, collection, key, lambda _: tags)

    def add(self, ctxt: RequestContext, collection: str, key: str, tag: str) -> None:
        """Put a tag on a thing. Fine when it is there."""
        self._change(ctxt, collection, key, lambda present: [*present, tag])

    def remove(self, ctxt: RequestContext, collection: str, key: str, tag: str) -> None:
        """Take a tag off a thing. Raises TagNotFound."""
        def without(present: tuple[str, ...]) -> list[str]:
            if tag not in present:
                raise errors.TagNotFound(f"Tag {tag} could not be found.")
            return [other for other in present if other != tag]

        self._change(ctxt, collection, key, without)

    def _change(self, ctxt: RequestContext, collection: str, key: str, choose: Callable[[tuple[str, ...]], list[str]]) -> tuple[str, ...]:
        visible, model, how = _KINDS[collection]

        def run(change: Change) -> tuple[str, ...]:
            network_listing.lock(change.session, model, key)
            found = visible(change.session, ctxt, key, **how)
            tags = tuple(sorted(set(choose(tuple(found.tags)))))
            if len(tags) > MAX_TAGS:
                raise errors.InvalidInput(f"{key} would have more than {MAX_TAGS} tags.")
            network_listing.set_tags(change.session, model, key, tags, change.now)
            return tags

        return self._store.change(run)
