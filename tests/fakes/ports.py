"""A small network service which keeps its ports in memory and survives every crash of a conductor."""

from __future__ import annotations

from collections.abc import Callable

from novalike.exception import Invalid
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, RequestedNetwork, Subnet, Vif
from novalike.objects.tasks import Caller


class Ports:
    """Implements NetworkClient but for its checks at accept. `point` is called between any two changes."""

    def __init__(self, point: Callable[[str], None] = lambda name: None) -> None:
        self.ports: dict[tuple[str, int], Vif] = {}
        self.hosts: dict[str, str] = {}
        self._point = point
        self._made = 0
        self.full = False

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
        self.hosts[self.ports[key].port_id] = host
        return self.ports[key]

    def free_port(self, caller: Caller, instance_uuid: str, port_id: str) -> None:
        for key, vif in list(self.ports.items()):
            if key[0] == instance_uuid and vif.port_id == port_id:
                self._point("before freeing a port")
                del self.ports[key]
                self.hosts.pop(port_id, None)
                self._point("after freeing a port")

    def rebind(self, caller: Caller, instance: Instance, *, host: str) -> tuple[Vif, ...]:
        for key in sorted(self.ports):
            if key[0] == instance.uuid and self.hosts[self.ports[key].port_id] != host:
                self._point("before rebinding a port")
                self.hosts[self.ports[key].port_id] = host
                self._point("after rebinding a port")
        return self.info(caller, instance.uuid)

    def free(self, caller: Caller, instance_uuid: str) -> None:
        for key in [key for key in self.ports if key[0] == instance_uuid]:
            self._point("before freeing a port")
            port = self.ports.pop(key)
            self.hosts.pop(port.port_id, None)
            self._point("after freeing a port")

    def info(self, caller: Caller, instance_uuid: str) -> tuple[Vif, ...]:
        return tuple(self.ports[key] for key in sorted(self.ports) if key[0] == instance_uuid)

    def of(self, instance_uuid: str) -> list[str]:
        """Answer the ids of an instance's ports."""
        return [vif.port_id for key, vif in self.ports.items() if key[0] == instance_uuid]
