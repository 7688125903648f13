"""Ports of servers as a real Neutron shows them: part of the client in neutron.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from novalike.exception import NotFound
from novalike.network import neutron_memory
from novalike.network.neutron_memory import IDS, NIC, OWNED, TAG
from novalike.objects.network_info import BoundPort, FixedIp, Subnet, Vif
from novalike.objects.tasks import Caller


class _Neutron(Protocol):
    """What is needed of the client."""

    def _list(self, collection: str, **filters: Any) -> list[dict[str, Any]]: ...

    def _by(self, collection: str, key: str, ids: Sequence[str], **filters: Any) -> list[dict[str, Any]]: ...

    def _vifs(self, ports: list[dict[str, Any]]) -> tuple[Vif, ...]: ...

    def _floating(self, port_ids: list[str]) -> dict[tuple[str, str], tuple[str, ...]]: ...

    def info_of(self, caller: Caller, instance_uuids: Sequence[str]) -> dict[str, tuple[Vif, ...]]: ...


class NeutronPorts:
    """The part of network.client.NetworkClient which looks at servers' ports."""

    remote = True

    def port_states(self: _Neutron, caller: Caller, instance_uuid: str) -> dict[str, str]:
        """See NetworkClient."""
        found = self._list("ports", device_id=instance_uuid, fields=["id", "status", "admin_state_up"])
        return {port["id"]: "ACTIVE" if _is_plugged(port) else port.get("status") or "DOWN" for port in found}

    def info(self: _Neutron, caller: Caller, instance_uuid: str) -> tuple[Vif, ...]:
        """See NetworkClient."""
        return self.info_of(caller, [instance_uuid])[instance_uuid]

    def info_of(self: _Neutron, caller: Caller, instance_uuids: Sequence[str]) -> dict[str, tuple[Vif, ...]]:
        """See NetworkClient."""
        ports = self._by("ports", "device_id", instance_uuids)
        ports.sort(key=lambda port: nic(port, len(ports)))
        answer: dict[str, tuple[Vif, ...]] = dict.fromkeys(instance_uuids, ())
        for port, vif in zip(ports, self._vifs(ports), strict=True):
            answer[port["device_id"]] = (*answer[port["device_id"]], vif)
        return answer

    def bound_ports(self: _Neutron, caller: Caller, *, after: str | None, limit: int) -> list[BoundPort]:
        """See NetworkClient."""
        paging = {"limit": limit, "sort_key": "id", "sort_dir": "asc", **({"marker": after} if after else {})}
        try:
            found = self._list("ports", fields=["id", "device_id", "device_owner", "binding:profile", "tags"], **paging)
        except NotFound:                         # the port after which to go on was deleted meanwhile: from the beginning
            return []
        return [_bound(port) for port in found]

    def _by(self: _Neutron, collection: str, key: str, ids: Sequence[str], **filters: Any) -> list[dict[str, Any]]:
        """Answer the things whose `key` is one of these, without an address too long for Neutron's web server."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), IDS):
            found += self._list(collection, **{key: list(ids[start:start + IDS])}, **filters)
        return found

    def _vifs(self: _Neutron, ports: list[dict[str, Any]]) -> tuple[Vif, ...]:
        network_ids = sorted({port["network_id"] for port in ports})
        networks = {n["id"]: n for n in self._by("networks", "id", network_ids)}
        subnet_ids = sorted({fixed["subnet_id"] for port in ports for fixed in port["fixed_ips"]})
        subnets = {s["id"]: s for s in self._by("subnets", "id", subnet_ids)}
        servers = {
            fixed["subnet_id"]: fixed["ip_address"]
            for port in self._by("ports", "network_id", network_ids, device_owner="network:dhcp")
            for fixed in port["fixed_ips"]
        }
        floating = self._floating([port["id"] for port in ports])
        return tuple(_vif(port, networks.get(port["network_id"], {}), subnets, servers, floating) for port in ports)

    def _floating(self: _Neutron, port_ids: list[str]) -> dict[tuple[str, str], tuple[str, ...]]:
        """Answer the public addresses of ports' addresses; none where Neutron has no routers."""
        try:
            found = self._by("floatingips", "port_id", port_ids)
        except NotFound:
            return {}
        public: dict[tuple[str, str], tuple[str, ...]] = {}
        for one in sorted(found, key=lambda one: str(one["floating_ip_address"])):
            key = one["port_id"], one["fixed_ip_address"]
            public[key] = (*public.get(key, ()), one["floating_ip_address"])
        return public


def _bound(port: dict[str, Any]) -> BoundPort:
    of_server = str(port.get("device_owner") or "").startswith("compute:")
    return BoundPort(
        port_id=port["id"], instance_uuid=port.get("device_id") or "" if of_server else "", ours=bool(neutron_memory.of_port(port)),
    )


def is_owned(port: dict[str, Any]) -> bool:
    """Answer whether a server's own build made the port."""
    return bool(neutron_memory.of_port(port).get(OWNED))


def nic(port: dict[str, Any], default: int = 0) -> int:
    """Answer a port's place among its server's."""
    return int(neutron_memory.of_port(port).get(NIC, default))


def _is_plugged(port: dict[str, Any]) -> bool:
    """Whether nothing more is to come for it: an agent makes no port active which its user disabled."""
    return port.get("status") == "ACTIVE" or port.get("admin_state_up") is False


def _vif(
    port: dict[str, Any], network: dict[str, Any], subnets: dict[str, dict[str, Any]], servers: dict[str, str],
    floating: dict[tuple[str, str], tuple[str, ...]],
) -> Vif:
    kind = port.get("binding:vif_type", "unbound")
    remembered = neutron_memory.of_port(port)
    details = port.get("binding:vif_details") or {}
    used = [subnets[fixed["subnet_id"]] for fixed in port["fixed_ips"] if fixed["subnet_id"] in subnets]
    return Vif(
        port_id=port["id"], network_id=port["network_id"], label=network.get("name", ""), mac=port["mac_address"], vif_type=kind,
        bridge=_bridge(kind, port, details), tap=f"tap{port['id'][:11]}", mtu=network.get("mtu") or 1500,
        fixed_ips=tuple(
            FixedIp(
                address=f["ip_address"], subnet_id=f["subnet_id"], version=6 if ":" in f["ip_address"] else 4,
                floating=floating.get((port["id"], f["ip_address"]), ()),
            ) for f in port["fixed_ips"]
        ),
        subnets=tuple(_subnets(used, servers)), security_groups=tuple(port.get("security_groups") or ()), owned=is_owned(port),
        tag=remembered.get(TAG), nic=nic(port), status=port.get("status") or "", plugging=not _is_plugged(port), details={key: str(value) for key, value in details.items()},
    )


def _bridge(kind: str, port: dict[str, Any], details: dict[str, Any]) -> str | None:
    """The bridge as ML2's agents name it: linuxbridge's per network, Open vSwitch's integration bridge."""
    if kind == "bridge":
        return str(details.get("bridge_name") or f"brq{port['network_id'][:11]}")
    return str(details.get("bridge_name") or "br-int") if kind == "ovs" else None


def _subnets(found: Iterable[dict[str, Any]], servers: dict[str, str]) -> Iterable[Subnet]:
    for subnet in {s["id"]: s for s in found}.values():
        yield Subnet(
            id=subnet["id"], cidr=subnet["cidr"], version=subnet["ip_version"], gateway=subnet["gateway_ip"],
            dhcp_server=servers.get(subnet["id"]) if subnet["enable_dhcp"] else None, address_mode=subnet.get("ipv6_address_mode"),
            dns=tuple(subnet["dns_nameservers"]), routes=tuple((route["destination"], route["nexthop"]) for route in subnet["host_routes"]),
        )
