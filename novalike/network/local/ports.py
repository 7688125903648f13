"""Ports: made, changed and removed on a user's behalf. Those of server builds are in client.py."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from novalike.context import RequestContext
from novalike.db import networks, ports
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import addresses, floating_ips, groups
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.store import Change, Store, is_admin, own, visible_network, visible_port
from novalike.objects.network import Network, Port
from novalike.objects.router import DHCP, FLOATING, GATEWAY, INTERFACE

MAX_FIXED_IPS = 5
_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")
#: What only admins, and the owner of the port's network, may say of a port.
_OWNERS = ("mac_address", "fixed_ips", "port_security", "address_pairs")
_ADMINS = ("host", "profile")
#: Whose ports are what the network service itself is made of: nobody else says that a port is such a one, or changes its parts.
_OURS = (DHCP, INTERFACE, GATEWAY, FLOATING)
_PARTS = ("fixed_ips", "mac_address", "device_id", "device_owner", "host", "port_security")


class Ports:
    """The ports of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Port]:
        """Make ports, all or none. Keys are the fields of objects.Port; `fixed_ips` are WantedAddress (absent: as usual,
        empty: none), `security_groups` ids (absent: the project's default group).

        Raises NetworkNotFound, OverQuota, Forbidden, IpAddressGenerationFailure, IpAddressAlreadyAllocated, MacAddressInUse ...
        """
        return self._store.change(self._create, ctxt, given)

    def _create(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Port]:
        return [self._make(change, ctxt, dict(values)) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any]) -> Port:
        network = visible_network(change.session, ctxt, values["network_id"])
        project_id = values.setdefault("project_id", ctxt.project_id or network.project_id)
        if not own(ctxt, project_id) or (network.external and not own(ctxt, network.project_id)):
            raise Forbidden("The port would belong to another project, or lie on an external network of another project.")
        _authorize(ctxt, network, values)
        self._store.require(change, project_id, "port")
        port = make(change, self._store, network, values)
        change.touch_port(port)
        return port

    def get(self, ctxt: RequestContext, port_id: str) -> Port:
        """Answer a port the caller may see. Raises PortNotFound."""
        return self._store.database.fetch(visible_port, ctxt, port_id)

    def list_page(
        self, listing: Listing, *, addresses: dict[str, tuple[str, ...]] | None = None,
        security_groups: tuple[str, ...] | None = None,
    ) -> list[Port]:
        """Answer ports by a listing, whose `project_id` says who looks; further filters as in db.ports.list_page."""
        return self._store.database.fetch(ports.list_page, listing, addresses=addresses, security_groups=security_groups)

    def domains(self, found: Sequence[Port]) -> dict[str, str]:
        """Answer the DNS domain of each network which ports are of."""
        known = self._store.database.fetch(networks.by_ids, {port.network_id for port in found}) if found else []
        return {network.id: network.dns_domain.rstrip(".") or self._store.settings.dhcp_domain for network in known}

    def update(self, ctxt: RequestContext, port_id: str, changes: dict[str, Any]) -> Port:
        """Change a port; keys as for `create`. Raises PortNotFound, Forbidden, PortInUse and as `create`."""
        return self._store.change(self._update, ctxt, port_id, dict(changes))

    def _update(self, change: Change, ctxt: RequestContext, port_id: str, changes: dict[str, Any]) -> Port:
        session = change.session
        port = visible_port(session, ctxt, port_id, lock=True)
        network = networks.get(session, port.network_id)
        if port.device_owner in _OURS and _keeps(changes.get("fixed_ips"), port.fixed_ips):
            del changes["fixed_ips"]
        if port.device_owner in _OURS and any(name in changes and changes[name] != getattr(port, name) for name in _PARTS):
            raise errors.ServicePortInUse(f"Port {port_id} cannot be changed like this via the port API: has device owner {port.device_owner}.")
        _authorize(ctxt, network, {k: v for k, v in changes.items() if k in ("fixed_ips", *_ADMINS) or v != getattr(port, k)})
        if changes.get("mac_address", port.mac_address) != port.mac_address:
            if not is_admin(ctxt):
                raise Forbidden("Only administrators may change a port's MAC address.")
            if port.host:
                raise errors.PortBound(
                    f"Unable to complete operation on port {port_id}, port is already bound, port type: bridge, old_mac {port.mac_address}, "
                    f"new_mac {changes['mac_address']}.",
                )
            changes["mac_address"] = _checked_mac(change, network.id, changes["mac_address"])
        if "fixed_ips" in changes:
            wanted = changes.pop("fixed_ips")
            _limit(wanted)
            chosen = addresses.choose(
                change, network.id, changes.get("mac_address", port.mac_address), wanted, kept=port.fixed_ips,
                automatic=not port.device_owner.startswith("network:"),
            )
            floating_ips.release_addresses(change, port, [fixed for fixed in port.fixed_ips if fixed not in chosen])
            ports.remove_addresses(session, port_id, [fixed for fixed in port.fixed_ips if fixed not in chosen])
            ports.add_addresses(session, port, [fixed for fixed in chosen if fixed not in port.fixed_ips])
        if "dhcp_options" in changes:
            changes["dhcp_options"] = _options(port.dhcp_options, changes["dhcp_options"])
        if "security_groups" in changes:
            changes["security_groups"] = groups.checked(session, port.project_id, changes["security_groups"])
        if changes.get("port_security") is False and port.security_groups and "security_groups" not in changes:
            raise errors.PortSecurityPortHasSecurityGroup(
                "Port has security group associated. Cannot disable port security or ip address until security group is removed",
            )
        _check_security(
            changes.get("port_security", port.port_security), changes.get("security_groups", port.security_groups),
            changes.get("address_pairs", port.address_pairs),
        )
        if "host" in changes:
            changes["status"] = "ACTIVE" if changes["host"] else "DOWN"
        ports.update(session, port_id, changes, change.now)
        fresh = ports.get(session, port_id)
        change.touch_port(port)
        change.touch_port(fresh)
        return fresh

    def delete(self, ctxt: RequestContext, port_id: str) -> None:
        """Remove a port. Raises PortNotFound, ServicePortInUse."""
        self._store.change(self._delete, ctxt, port_id)

    def _delete(self, change: Change, ctxt: RequestContext, port_id: str) -> None:
        port = visible_port(change.session, ctxt, port_id, lock=True)
        if port.device_owner.startswith("network:"):
            raise errors.ServicePortInUse(
                f"Port {port_id} cannot be deleted directly via the port API: has device owner {port.device_owner}.",
            )
        floating_ips.release(change, [port])
        ports.delete(change.session, [port_id])
        change.touch_port(port)


def hostname(port: Port) -> str:
    """Answer the name under which our name server knows a port."""
    first = port.fixed_ips[0][1] if port.fixed_ips else ""
    return port.dns_name or "host-" + first.replace(".", "-").replace(":", "-")


def make(change: Change, store: Store, network: Network, values: dict[str, Any]) -> Port:
    """Make a port inside a change; keys as for Ports.create, all rights and limits checked by the caller."""
    session = change.session
    values = dict(values)
    given = values.pop("mac_address", None)
    mac = addresses.mac(store.settings.base_mac) if given is None else _checked_mac(change, network.id, given)
    security = values.setdefault("port_security", network.port_security)
    wanted_groups = values.pop("security_groups", None)
    if isinstance(wanted_groups, groups.Checked):
        chosen_groups = tuple(wanted_groups)
    elif wanted_groups is not None:
        chosen_groups = groups.checked(session, values["project_id"], wanted_groups)
    elif security and not values.get("device_owner", "").startswith("network:"):
        chosen_groups = (groups.default_id(change, values["project_id"]),)
    else:
        chosen_groups = ()
    _check_security(security, chosen_groups, values.get("address_pairs", ()))
    values["dhcp_options"] = _options((), values.get("dhcp_options", ()))
    wanted: Sequence[WantedAddress] | None = values.pop("fixed_ips", None)
    _limit(wanted)
    port = Port(**{
        "name": "", **values, "id": values.get("id") or str(uuid.uuid4()), "mac_address": mac, "security_groups": chosen_groups,
        "fixed_ips": addresses.choose(
            change, network.id, mac, wanted, automatic=not values.get("device_owner", "").startswith("network:"),
        ),
        "status": "ACTIVE" if values.get("host") else "DOWN",
    })
    ports.insert(session, port, change.now)
    return replace(port, created_at=change.now, updated_at=change.now)


def _authorize(ctxt: RequestContext, network: Network, values: dict[str, Any]) -> None:
    if values.get("device_owner") in _OURS:
        raise Forbidden(f"Ports of device owner {values['device_owner']} are made by the network service only.")
    if is_admin(ctxt):
        return
    if any(values.get(name) for name in _ADMINS):
        raise Forbidden("Only administrators may bind ports.")
    wanted = values.get("fixed_ips") or ()
    named = any(want.address is not None for want in wanted)
    if not own(ctxt, network.project_id) and (named or any(name in values for name in _OWNERS if name != "fixed_ips")):
        raise Forbidden("Only the network's owner may choose MAC addresses, fixed addresses or port security.")
    if values.get("device_owner", "").startswith("network:") and not own(ctxt, network.project_id):
        raise Forbidden("Only the network's owner may make ports of network services.")


def _checked_mac(change: Change, network_id: str, mac: str) -> str:
    mac = mac.lower().replace("-", ":")
    if not _MAC.match(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise errors.InvalidInput(f"'{mac}' is not a valid MAC address.")
    if ports.mac_in_use(change.session, network_id, mac):
        raise errors.MacAddressInUse(
            f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
        )
    return mac


def _options(present: Sequence[tuple[str, str, int]], given: Sequence[tuple[str, str | None, int]]) -> tuple[tuple[str, str, int], ...]:
    """Answer DHCP options after a change: those given replace their like, and one without a value goes."""
    merged: dict[tuple[str, int], str | None] = {(name, version): value for name, value, version in present}
    merged |= {(name, version): value for name, value, version in given}
    return tuple((name, value, version) for (name, version), value in sorted(merged.items()) if value is not None)


def _limit(wanted: Sequence[WantedAddress] | None) -> None:
    if wanted is not None and len(wanted) > MAX_FIXED_IPS:
        raise errors.InvalidInput("Exceeded maximum amount of fixed ips per port.")


def _keeps(wanted: Sequence[WantedAddress] | None, present: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a port which is to have certain addresses has them, and no others."""
    left = list(present)
    for want in wanted or ():
        fits = next((one for one in left if want.subnet_id in (None, one[0]) and want.address in (None, one[1])), None)
        if fits is None:
            return False
        left.remove(fits)
    return wanted is not None and not left


def _check_security(enabled: bool, group_ids: Sequence[str], pairs: Sequence[object]) -> None:
    if not enabled and group_ids:
        raise errors.PortSecurityAndIPRequiredForSecurityGroups(
            "Port security must be enabled and port must have an IP address in order to use security groups.",
        )
    if not enabled and pairs:
        raise errors.AddressPairAndPortSecurityRequired("Port Security must be enabled in order to have allowed address pairs on a port.")
