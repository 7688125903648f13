"""Networks: made, changed and removed."""

from __future__ import annotations

import uuid
from typing import Any

from novalike.context import RequestContext
from novalike.db import network_hosts, networks, ports
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local.store import Change, Store, is_admin, own, visible_network
from novalike.objects.network import Network

VXLAN_OVERHEAD = 50
#: Attributes which only admins may set to anything but their default; the API's policy says so too.
_ADMINS = ("shared", "external", "is_default", "network_type", "segment")


class Networks:
    """The networks of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Network]:
        """Make networks, all or none. Keys are the fields of objects.Network. Raises OverQuota, Forbidden, InvalidInput."""
        return self._store.change(self._create, ctxt, given)

    def _create(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Network]:
        return [networks.get(change.session, self._make(change, ctxt, values)) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any]) -> str:
        values = {name: value for name, value in values.items() if value is not None}
        project_id = values.setdefault("project_id", ctxt.project_id or "")
        self._authorize(ctxt, project_id, values)
        self._store.require(change, project_id, "network")
        kind = values.setdefault("network_type", self._store.settings.network_type)
        largest = self._store.settings.mtu - (VXLAN_OVERHEAD if kind == "vxlan" else 0)
        if values.get("mtu", largest) > largest:
            raise errors.InvalidInput(f"Requested MTU is too big, maximum is {largest}")
        if kind == "vxlan":
            values["segment"] = self._segment(change, values.get("segment"))
        elif values.get("segment") is not None:
            raise errors.InvalidInput(f"provider:segmentation_id is not possible for {kind} networks.")
        network = Network(**{"name": "", "mtu": largest, **values}, id=str(uuid.uuid4()))
        networks.insert(change.session, network, change.now)
        return network.id

    def _authorize(self, ctxt: RequestContext, project_id: str, values: dict[str, Any]) -> None:
        if not own(ctxt, project_id) or (not is_admin(ctxt) and any(values.get(name) for name in _ADMINS)):
            raise Forbidden("Only administrators may make networks for other projects, or shared, external, default or provider networks.")

    def _segment(self, change: Change, wanted: int | None) -> int:
        taken = networks.segments(change.session)
        settings = self._store.settings
        if wanted is not None:
            if wanted in taken:
                raise errors.NoNetworkAvailable(f"The VXLAN identifier {wanted} is in use.")
            return wanted
        free = next((vni for vni in range(settings.vni_first, settings.vni_last + 1) if vni not in taken), None)
        if free is None:
            raise errors.NoNetworkAvailable("Unable to create the network. No tenant network is available for allocation.")
        return free

    def get(self, ctxt: RequestContext, network_id: str) -> Network:
        """Answer a network the caller may see. Raises NetworkNotFound."""
        return self._store.database.fetch(visible_network, ctxt, network_id)

    def list_page(self, listing: Listing) -> list[Network]:
        """Answer networks by a listing, whose `project_id` says who looks."""
        return self._store.database.fetch(networks.list_page, listing)

    def update(self, ctxt: RequestContext, network_id: str, changes: dict[str, Any]) -> Network:
        """Change a network. Raises NetworkNotFound, Forbidden, InvalidInput."""
        return self._store.change(self._update, ctxt, network_id, changes)

    def _update(self, change: Change, ctxt: RequestContext, network_id: str, changes: dict[str, Any]) -> Network:
        network = visible_network(change.session, ctxt, network_id, change=True)
        if not is_admin(ctxt) and any(name in changes and changes[name] != getattr(network, name) for name in _ADMINS):
            raise Forbidden("Only administrators may make a network shared, external or the default.")
        if network.shared and changes.get("shared") is False:
            strangers = {port.project_id for port in ports.of_network(change.session, network_id)} - {network.project_id}
            if strangers:
                raise errors.NetworkInUse(
                    f"Unable to reconfigure sharing settings for network {network_id}. Multiple tenants are using it.",
                )
        networks.update(change.session, network_id, changes, change.now)
        change.touch_network(network_id)
        return networks.get(change.session, network_id)

    def delete(self, ctxt: RequestContext, network_id: str) -> None:
        """Remove a network with its subnets. Raises NetworkNotFound, NetworkInUse."""
        self._store.change(self._delete, ctxt, network_id)

    def _delete(self, change: Change, ctxt: RequestContext, network_id: str) -> None:
        session = change.session
        visible_network(session, ctxt, network_id, change=True)
        network = networks.lock(session, network_id)
        networks.lock_subnets(session, network.subnet_ids)
        remaining = ports.of_network(session, network_id)
        if any(not port.device_owner.startswith("network:") for port in remaining):
            raise errors.NetworkInUse(
                f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the network.",
            )
        ports.delete(session, [port.id for port in remaining])
        for subnet_id in network.subnet_ids:
            networks.delete_subnet(session, subnet_id)
        network_hosts.forget(session, network_id)
        networks.delete(session, network_id)
