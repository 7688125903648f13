"""A network service's networks and floating addresses, in memory: network.client.ProjectAddresses."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from novalike.exception import NotFound
from novalike.objects.floating import FloatingAddress, NamedNetwork


class FakeAddresses:
    """Networks by the ids of `owners`; floating addresses with the project of each; and what was asked of ports."""

    owners: dict[str, str | None]
    pools = ("public",)

    def _all(self) -> dict[str, tuple[str | None, FloatingAddress]]:
        return self.__dict__.setdefault("floating", {})

    def hold(self, project_id: str, floating: FloatingAddress) -> None:
        """Give a project an address."""
        self._all()[floating.id] = (project_id, floating)

    def project_networks(self, ctxt: Any) -> list[NamedNetwork]:
        return [NamedNetwork(id=key, name="net", project_id=owner or "", mtu=1500, created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")
                for key, owner in self.owners.items() if owner in (None, ctxt.project_id)]

    def project_network(self, ctxt: Any, network_id: str) -> NamedNetwork:
        for network in self.project_networks(ctxt):
            if network.id == network_id:
                return network
        raise NotFound(f"Network {network_id} could not be found.")

    def floating_pools(self, ctxt: Any) -> list[NamedNetwork]:
        return [NamedNetwork(id=name, name=name) for name in self.pools]

    def floating_ips(self, ctxt: Any) -> list[FloatingAddress]:
        return [floating for project_id, floating in self._all().values() if project_id == ctxt.project_id]

    def floating_ip(self, ctxt: Any, floating_id: str) -> FloatingAddress:
        project_id, floating = self._all().get(floating_id, (None, None))
        if floating is None or not (ctxt.is_admin or project_id == ctxt.project_id):
            raise NotFound(f"Floating IP {floating_id} could not be found.")
        return floating

    def allocate_floating(self, ctxt: Any, network_id: str) -> FloatingAddress:
        made = FloatingAddress(id=str(uuid.uuid4()), address=f"203.0.113.{10 + len(self._all())}", pool=network_id)
        self.hold(ctxt.project_id, made)
        return made

    def release_floating(self, ctxt: Any, floating_id: str) -> None:
        del self._all()[self.floating_ip(ctxt, floating_id).id]

    def lead_floating(self, ctxt: Any, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        floating = self.floating_ip(ctxt, floating_id)
        project_id, _ = self._all()[floating_id]
        self._all()[floating_id] = (project_id, replace(floating, port_id=port_id, fixed_address=fixed_address))

    def add_address(self, ctxt: Any, port_id: str) -> None:
        self.__dict__.setdefault("changed_ports", []).append((port_id, None))

    def remove_address(self, ctxt: Any, port_id: str, address: str) -> None:
        self.__dict__.setdefault("changed_ports", []).append((port_id, address))
