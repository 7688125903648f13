"""Inventories as the database has them, read once: most changes of a host are claims on it, which leave its inventory alone."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TypeVar

import orjson

from novalike.objects.host import Inventory
from novalike.rpc import serializer

#: Hosts of one model tell the same of their CPUs: so many different stories are kept, then all are forgotten.
STORIES = 5000
T = TypeVar("T")


class Inventories:
    """The last inventory of each compute node. Equal parts of several are one object: ten thousand hosts are a few models."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Inventory]] = {}
        self._stories: dict[Hashable, object] = {}

    def read(self, node_id: int, document: str) -> Inventory:
        """Answer the inventory which the document says; the very same object as long as it says the same."""
        mark = hash(document)
        known = self._known.get(node_id)
        if known is not None and known[0] == mark:
            return known[1]
        found = serializer.load(Inventory, orjson.loads(document))
        inventory = replace(
            found, cpu_info=self._shared(orjson.dumps(found.cpu_info, option=orjson.OPT_SORT_KEYS), found.cpu_info),
            traits=self._shared(found.traits, found.traits), supported=self._shared(found.supported, found.supported),
            hypervisor_type=self._shared(found.hypervisor_type, found.hypervisor_type),
        )
        self._known[node_id] = (mark, inventory)
        return inventory

    def forget(self, node_id: int) -> None:
        """The compute node is gone."""
        self._known.pop(node_id, None)

    def _shared(self, key: Hashable, value: T) -> T:
        if len(self._stories) > STORIES:
            self._stories.clear()
        return self._stories.setdefault((type(value), key), value)  # type: ignore[return-value]  # the type is in the key
