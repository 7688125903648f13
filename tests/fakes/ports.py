"""A small network service which keeps its ports in memory and survives every crash of a conductor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from novalike.exception import Invalid
from novalike.network.client import BindingFailed
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, RequestedNetwork, Subnet, Vif
from novalike.objects.tasks import Caller


class Ports:
    """Implements NetworkClient but for its checks at accept. `point` is called between any two changes.

    With an `agent`, ports are not active where they were just bound: the agent plugs them after the next look at them, unless it is
    `idle`, and is called with the server's id when a port was bound (too early) and when it was plugged.
    """

    def __init__(self, point: Callable[[str], None] = lambda name: None) -> None:
        self.ports: dict[tuple[str, int], Vif] = {}
        self.hosts: dict[str, str] = {}
        self.flavors: dict[str, str] = {}        # whose limits ports have
        self._point = point
        self._made = 0
        self.full = False
        self.agent: Callable[[str], None] | None = None
        self.idle = False
        self.broken = False
        self.refusing: set[str] = set()          # hosts on which nothing can be bound
        self._active: set[str] = set()

    def allocate(
        self, caller: Caller, instance: Instance, requested: tuple[RequestedNetwork, ...], *, host: str,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[Vif, ...]:
        for position, wanted in enumerate(requested):
            self.allocate_nic(caller, instance, wanted, nic=position, host=host)
        return self.info(caller, instance.uuid)

    def allocate_nic(
        self, caller: Caller, instance: Instance, requested: RequestedNetwork, *, nic: int, host: str,
    ) -> Vif:
        key = (instance.uuid, nic)
        if key not in self.ports:
            self._point("before a port")
            if self.full:
                raise Invalid("No more IP addresses available on network net.")
            self._made += 1
            number = self._made
            self.ports[key] = Vif(
                port_id=requested.port_id or f"port-{number}", network_id=requested.network_id or "net", label="net",
                mac=f"fa:16:3e:00:00:{number % 256:02x}", bridge="nlbnet", tap=f"tapport-{number}",
                fixed_ips=(FixedIp(address=f"10.0.0.{number % 250 + 2}", subnet_id="sub"),),
                subnets=(Subnet(id="sub", cidr="10.0.0.0/24", gateway="10.0.0.1"),), nic=nic, tag=requested.tag,
                owned=requested.port_id is None,
            )
            self._point("after a port")
        self._bind(instance, self.ports[key].port_id, host)
        return self._as_it_is(self.ports[key])

    def _bind(self, instance: Instance, port_id: str, host: str) -> None:
        self.flavors[port_id] = instance.flavor.name
        if self.hosts.get(port_id) != host:
            self._active.discard(port_id)
            self.hosts[port_id] = host
            if self.agent is not None:
                self.agent(instance.uuid)
        if host in self.refusing:
            raise BindingFailed(f"Binding failed for port {port_id}, please check neutron logs for more information.")

    def _as_it_is(self, vif: Vif) -> Vif:
        plugging = self.agent is not None and vif.port_id not in self._active
        return replace(vif, plugging=plugging, status="DOWN" if plugging else "ACTIVE")

    def port_states(self, caller: Caller, instance_uuid: str) -> dict[str, str]:
        self._point("before looking at ports")
        found = {vif.port_id: vif.status for vif in self.info(caller, instance_uuid)}
        if self.broken:
            return dict.fromkeys(found, "ERROR")
        if self.agent is not None and not self.idle and "DOWN" in found.values():
            self._active |= found.keys()
            self.agent(instance_uuid)
        self._point("after looking at ports")
        return found

    def free_port(self, caller: Caller, instance_uuid: str, port_id: str) -> None:
        for key, vif in list(self.ports.items()):
            if key[0] == instance_uuid and vif.port_id == port_id:
                self._point("before freeing a port")
                del self.ports[key]
                self.hosts.pop(port_id, None)
                self._point("after freeing a port")

    def rebind(self, caller: Caller, instance: Instance, *, host: str) -> tuple[Vif, ...]:
        for key in sorted(self.ports):
            port_id = self.ports[key].port_id
            if key[0] == instance.uuid and (self.hosts[port_id], self.flavors[port_id]) != (host, instance.flavor.name):
                self._point("before rebinding a port")
                self._bind(instance, port_id, host)
                self._point("after rebinding a port")
        return self.info(caller, instance.uuid)

    def free(self, caller: Caller, instance_uuid: str) -> None:
        for key in [key for key in self.ports if key[0] == instance_uuid]:
            self._point("before freeing a port")
            port = self.ports.pop(key)
            self.hosts.pop(port.port_id, None)
            self._point("after freeing a port")

    def info(self, caller: Caller, instance_uuid: str) -> tuple[Vif, ...]:
        return tuple(self._as_it_is(self.ports[key]) for key in sorted(self.ports) if key[0] == instance_uuid)

    def of(self, instance_uuid: str) -> list[str]:
        """Answer the ids of an instance's ports."""
        return [vif.port_id for key, vif in self.ports.items() if key[0] == instance_uuid]
