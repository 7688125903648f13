"""A small network service which keeps its ports in memory and survives every crash of a conductor."""

from __future__ import annotations

from collections.abc import Callable

from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, RequestedNetwork, Subnet, Vif
from novalike.objects.tasks import Caller


class Ports:
    """Implements allocate, free and info of NetworkClient. `point` is called between any two changes."""

    def __init__(self, point: Callable[[str], None] = lambda name: None) -> None:
        self.ports: dict[tuple[str, int], Vif] = {}
        self.hosts: dict[str, str] = {}
        self._point = point
        self._made = 0

    def allocate(
        self, caller: Caller, instance: Instance, requested: tuple[RequestedNetwork, ...], *, host: str,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[Vif, ...]:
        for position, wanted in enumerate(requested):
            key = (instance.uuid, position)
            if key not in self.ports:
                self._point("before a port")
                self._made += 1
                number = self._made
                self.ports[key] = Vif(
                    port_id=f"port-{number}", network_id=wanted.network_id or "net", label="net", mac=f"fa:16:3e:00:00:{number % 256:02x}",
                    bridge="nlbnet", tap=f"tapport-{number}", fixed_ips=(FixedIp(address=f"10.0.0.{number % 250 + 2}", subnet_id="sub"),),
                    subnets=(Subnet(id="sub", cidr="10.0.0.0/24", gateway="10.0.0.1"),),
                )
                self._point("after a port")
            self.hosts[self.ports[key].port_id] = host
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
