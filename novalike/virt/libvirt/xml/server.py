"""The note about its server which a domain carries, as Nova writes it: operators' tools read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.virt.libvirt.xml.element import Element, element

NAMESPACE = "http://openstack.org/xmlns/libvirt/nova/1.1"
ET.register_namespace("nova", NAMESPACE)


def _nova(tag: str, attributes: dict[str, str | int | None] | None = None, *children: Element, text: str | int | None = None) -> Element:
    return element(f"{{{NAMESPACE}}}{tag}", attributes, *children, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNote:
    """Name, flavor, owner, image and ports of the server."""

    instance: Instance
    vifs: tuple[Vif, ...]
    version: str
    made: datetime

    def xml(self) -> Element:
        """Render."""
        instance, flavor = self.instance, self.instance.flavor
        sizes = {
            "memory": flavor.memory_mb, "disk": flavor.root_gb, "swap": flavor.swap_mb, "ephemeral": flavor.ephemeral_gb,
            "vcpus": flavor.vcpus,
        }
        ports = [
            _nova("port", {"uuid": vif.port_id}, *(
                _nova("ip", {"type": "fixed", "address": ip.address, "ipVersion": ip.version}) for ip in vif.fixed_ips))
            for vif in self.vifs
        ]
        children = [
            _nova("package", {"version": self.version}),
            _nova("name", text=instance.display_name),
            _nova("creationTime", text=self.made.strftime("%Y-%m-%d %H:%M:%S")),
            _nova("flavor", {"name": flavor.name}, *(_nova(name, text=size) for name, size in sizes.items())),
            _nova("owner", None, _nova("user", {"uuid": instance.user_id}), _nova("project", {"uuid": instance.project_id})),
        ]
        if instance.image_ref:
            children.append(_nova("root", {"type": "image", "uuid": instance.image_ref}))
        children.append(_nova("ports", None, *ports))
        return element("metadata", None, _nova("instance", None, *children))
