"""Networks: made, changed and removed."""

from __future__ import annotations

import uuid
from typing import Any

from novalike.context import RequestContext
from novalike.db import network_hosts, networks, ports, routers
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import floating_ips
from novalike.network.local.store import Change, Store, is_admin, own, visible_network
from novalike.objects.network import Network
from novalike.objects.router import DHCP, FLOATING, GATEWAY

VXLAN_OVERHEAD = 50
LARGEST_SEGMENT = {"vlan": 4094, "vxlan": 16777215}
#: Attributes which only admins may set to anything but their default; the API's policy says so too.
_ADMINS = ("shared", "external", "is_default", "network_type", "physical_network", "segment")


class Networks:
    """The networks of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Network]:
        """Make networks, all or none. Keys are the fields of objects.Network. Raises OverQuota, Forbidden, InvalidInput."""
        return self._store.change(self.create_in, ctxt, given)

    def create_in(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Network]:
        """The same, as a part of a larger change."""
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
        self._place(change, kind, values)
        network = Network(**{"name": "", "mtu": largest, **values}, id=str(uuid.uuid4()))
        networks.insert(change.session, network, change.now)
        return network.id

    def _authorize(self, ctxt: RequestContext, project_id: str, values: dict[str, Any]) -> None:
        if not own(ctxt, project_id) or (not is_admin(ctxt) and any(values.get(name) for name in _ADMINS)):
            raise Forbidden("Only administrators may make networks for other projects, or shared, external, default or provider networks.")

    def _place(self, change: Change, kind: str, values: dict[str, Any]) -> None:
        """Choose the wire and the identifier of a network, or check those which were named."""
        settings = self._store.settings
        wire = values.get("physical_network", "")
        if kind == "vlan":
            wire = values.setdefault("physical_network", settings.vlan_physical_network)
            if not wire:
                raise errors.InvalidInput("provider:physical_network is required for vlan networks, unless [network] vlan_physical_network names one.")
        elif kind == "vxlan" and wire:
            raise errors.InvalidInput("provider:physical_network is not possible for vxlan networks.")
        if kind == "flat" and wire and wire in networks.wires(change.session):
            raise errors.InvalidInput(f"Unable to create the flat network. Physical network {wire} is in use.")
        if kind == "flat":
            if values.get("segment") is not None:
                raise errors.InvalidInput("provider:segmentation_id is not possible for flat networks.")
            return
        first, last = (settings.vni_first, settings.vni_last) if kind == "vxlan" else (settings.vlan_first, settings.vlan_last)
        values["segment"] = self._segment(change, kind, wire, values.get("segment"), range(first, last + 1))

    @staticmethod
    def _segment(change: Change, kind: str, wire: str, wanted: int | None, usual: range) -> int:
        taken = networks.segments(change.session, kind, wire)
        if wanted is not None:
            if not 1 <= wanted <= LARGEST_SEGMENT[kind]:
                raise errors.InvalidInput(f"provider:segmentation_id {wanted} is no {kind} identifier (1 to {LARGEST_SEGMENT[kind]}).")
            if wanted in taken:
                raise errors.NoNetworkAvailable(f"The {kind.upper()} identifier {wanted} is in use.")
            return wanted
        free = next((number for number in usual if number not in taken), None)
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
        if network.external and changes.get("external") is False and (
            ports.of_network(change.session, network_id, owner=GATEWAY) or ports.of_network(change.session, network_id, owner=FLOATING)
        ):
            raise errors.ExternalNetworkInUse(
                f"External network {network_id} cannot be updated to be made non-external, since it has existing gateway ports.",
            )
        networks.update(change.session, network_id, changes, change.now)
        change.touch_network(network_id)
        for router in routers.by_ids(change.session, routers.attached(change.session, network_id)):
            change.touch_router(router)              # its MTU is the interface's
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
        kept = [port for port in remaining if port.device_owner == FLOATING]
        if any(port.device_owner not in (DHCP, FLOATING) for port in remaining) or not floating_ips.drop_unused(change, network_id, kept):
            raise errors.NetworkInUse(
                f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the network.",
            )
        ports.delete(session, [port.id for port in remaining])
        for subnet_id in network.subnet_ids:
            networks.delete_subnet(session, subnet_id)
        network_hosts.forget(session)
        networks.delete(session, network_id)
