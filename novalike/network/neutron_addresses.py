"""Networks and floating addresses in a real Neutron, as compute's API showed them until 2.35: part of the client in neutron.py."""

from __future__ import annotations

from typing import Any, Protocol

from novalike.context import RequestContext
from novalike.exception import NotFound
from novalike.objects.floating import FloatingAddress, NamedNetwork


class _Neutron(Protocol):
    """What is needed of the client."""

    def _list(self, collection: str, **filters: Any) -> list[dict[str, Any]]: ...

    def _one(self, kind: str, key: str) -> dict[str, Any]: ...

    def _put(self, kind: str, key: str, changes: dict[str, Any]) -> dict[str, Any]: ...

    def _request(self, method: str, path: str, *, body: Any = None) -> Any: ...

    def _own(self, ctxt: RequestContext, collection: str, what: str, key: str) -> dict[str, Any]: ...

    def _floating_of(self, found: list[dict[str, Any]]) -> list[FloatingAddress]: ...

    def _own_floating(self, ctxt: RequestContext, floating_id: str) -> dict[str, Any]: ...

    def _own_port(self, ctxt: RequestContext, port_id: str) -> dict[str, Any]: ...


class NeutronAddresses:
    """Implements network.client.ProjectAddresses."""

    def project_networks(self: _Neutron, ctxt: RequestContext) -> list[NamedNetwork]:
        """See ProjectAddresses."""
        found = self._list("networks", tenant_id=ctxt.project_id) + self._list("networks", shared=True)
        return list({network["id"]: _named(network) for network in found}.values())

    def project_network(self: _Neutron, ctxt: RequestContext, network_id: str) -> NamedNetwork:
        """See ProjectAddresses."""
        network = self._one("network", network_id)
        seen = network.get("shared") or network.get("router:external") or ctxt.is_admin or network.get("tenant_id") == ctxt.project_id
        if not seen:
            raise NotFound(f"Network {network_id} could not be found.")
        return _named(network)

    def floating_pools(self: _Neutron, ctxt: RequestContext) -> list[NamedNetwork]:
        """See ProjectAddresses."""
        return [_named(network) for network in self._list("networks", **{"router:external": True})]

    def floating_ips(self: _Neutron, ctxt: RequestContext) -> list[FloatingAddress]:
        """See ProjectAddresses."""
        return self._floating_of(self._list("floatingips", tenant_id=ctxt.project_id))

    def floating_ip(self: _Neutron, ctxt: RequestContext, floating_id: str) -> FloatingAddress:
        """See ProjectAddresses."""
        return self._floating_of([self._own_floating(ctxt, floating_id)])[0]

    def allocate_floating(self: _Neutron, ctxt: RequestContext, network_id: str) -> FloatingAddress:
        """See ProjectAddresses."""
        body = {"floatingip": {"floating_network_id": network_id, "tenant_id": ctxt.project_id}}
        return self._floating_of([self._request("POST", "/floatingips", body=body)["floatingip"]])[0]

    def release_floating(self: _Neutron, ctxt: RequestContext, floating_id: str) -> None:
        """See ProjectAddresses."""
        self._request("DELETE", f"/floatingips/{self._own_floating(ctxt, floating_id)['id']}")

    def lead_floating(self: _Neutron, ctxt: RequestContext, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        """See ProjectAddresses."""
        floating = self._own_floating(ctxt, floating_id)
        fixed = {"fixed_ip_address": fixed_address} if port_id and fixed_address else {}
        if port_id is not None:
            self._own_port(ctxt, port_id)
        self._put("floatingip", floating["id"], {"port_id": port_id, **fixed})

    def add_address(self: _Neutron, ctxt: RequestContext, port_id: str) -> None:
        """See ProjectAddresses."""
        port = self._own_port(ctxt, port_id)
        subnets = self._list("subnets", network_id=port["network_id"])
        if not subnets:
            raise NotFound(f"Network {port['network_id']} has no subnet.")
        self._put("port", port_id, {"fixed_ips": [*port["fixed_ips"], {"subnet_id": subnets[0]["id"]}]})

    def remove_address(self: _Neutron, ctxt: RequestContext, port_id: str, address: str) -> None:
        """See ProjectAddresses."""
        port = self._own_port(ctxt, port_id)
        self._put("port", port_id, {"fixed_ips": [fixed for fixed in port["fixed_ips"] if fixed["ip_address"] != address]})

    def _own_floating(self: _Neutron, ctxt: RequestContext, floating_id: str) -> dict[str, Any]:
        floating = self._one("floatingip", floating_id)
        if floating.get("tenant_id") != ctxt.project_id and not ctxt.is_admin:
            raise NotFound(f"Floating IP {floating_id} could not be found.")
        return floating

    def _own_port(self: _Neutron, ctxt: RequestContext, port_id: str) -> dict[str, Any]:
        port = self._one("port", port_id)
        if port.get("tenant_id") != ctxt.project_id and not ctxt.is_admin:
            raise NotFound(f"Port {port_id} could not be found.")
        return port

    def _floating_of(self: _Neutron, found: list[dict[str, Any]]) -> list[FloatingAddress]:
        if not found:
            return []
        pools = {network["id"]: network["name"] for network in self._list("networks", id=sorted({f["floating_network_id"] for f in found}))}
        led = sorted({f["port_id"] for f in found if f.get("port_id")})
        servers = {port["id"]: port["device_id"] for port in self._list("ports", id=led)} if led else {}
        return [FloatingAddress(
            id=f["id"], address=f["floating_ip_address"], pool=pools.get(f["floating_network_id"], f["floating_network_id"]),
            fixed_address=f.get("fixed_ip_address"), port_id=f.get("port_id"), server=servers.get(f.get("port_id")) or None,
        ) for f in found]


def _named(network: dict[str, Any]) -> NamedNetwork:
    return NamedNetwork(
        id=network["id"], name=network["name"], project_id=network.get("tenant_id") or "", mtu=network.get("mtu"),
        created_at=network.get("created_at"), updated_at=network.get("updated_at"),
    )
