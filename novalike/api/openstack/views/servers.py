"""Servers as the API shows them: the newest answer is built, and what the asked version does not know is dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from novalike.api.http.application import Request
from novalike.api.http.versions import Version, within
from novalike.api.openstack.links import bookmark, links
from novalike.db.instance_lists import ServerRecord
from novalike.objects import states
from novalike.objects.instance import numbered_name
from novalike.objects.tasks import Task

#: First version of keys which not every version has.
_SINCE: dict[str, str] = {
    "locked": "2.9", "host_status": "2.16", "description": "2.19", "tags": "2.26", "trusted_image_certificates": "2.63",
    "server_groups": "2.71", "locked_reason": "2.73", "pinned_availability_zone": "2.96", "scheduler_hints": "2.100",
}
#: For callers who pass os-extended-server-attributes; the second part since 2.3.
_ATTRIBUTES = ("OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name")
_MORE_ATTRIBUTES = tuple(f"OS-EXT-SRV-ATTR:{name}" for name in (
    "kernel_id", "ramdisk_id", "launch_index", "reservation_id", "root_device_name", "user_data",
))
#: What PUT answers only since 2.75.
_NOT_IN_OLD_UPDATES = (
    "config_drive", "key_name", "security_groups", "host_status", "os-extended-volumes:volumes_attached",
    "OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state",
    "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-SRV-ATTR:hostname", *_ATTRIBUTES, *_MORE_ATTRIBUTES,
)
_ATTRIBUTES_RULE = "os_compute_api:os-extended-server-attributes"
_HOST_STATUS_RULE = "os_compute_api:servers:show:host_status"
_NO_VOLUMES: Mapping[str, Sequence[tuple[str, bool]]] = {}


@lru_cache(maxsize=1024)
def _dropped(version: Version, attributes: bool, host_status: bool, listed: bool, updated: bool) -> tuple[str, ...]:
    """Answer the keys to leave out of an answer for a version and a caller's rights."""
    gone = [key for key, since in _SINCE.items() if not within(version, since, None)]
    if not attributes:
        gone += _ATTRIBUTES
    if not attributes or version < (2, 3):
        gone += _MORE_ATTRIBUTES
    if version < (2, 3) or (not attributes and version < (2, 90)):
        gone.append("OS-EXT-SRV-ATTR:hostname")
    if not host_status:
        gone.append("host_status")
    if listed:
        gone.append("server_groups")
    if updated and version < (2, 75):
        gone += _NOT_IN_OLD_UPDATES
    return tuple(dict.fromkeys(gone))


@lru_cache(maxsize=65536)
def host_id(project_id: str, host: str | None) -> str:
    """Answer what a project sees of a host's name: the same for two servers of the project on the same host."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest() if host else ""


def zulu(moment: datetime | None) -> str | None:
    """Answer a time in whole seconds with a Z."""
    return None if moment is None else f"{moment.isoformat(timespec='seconds')}Z"


def brief(request: Request, record: ServerRecord) -> dict[str, Any]:
    """Answer a row of the short list."""
    return {"id": record.uuid, "name": record.display_name, "links": links(request, "servers", record.uuid)}


def wants_host_status(request: Request) -> bool:
    """Tell whether answers to this caller hold the state of hosts, so that it has to be looked up."""
    return request.version >= (2, 16) and request.allowed(_HOST_STATUS_RULE)


def host_status(service: Any | None) -> str:
    """Answer the state of a host as 2.16 shows it, from its compute service (None: not there)."""
    if service is None:
        return "UNKNOWN"
    if service.disabled:
        return "MAINTENANCE"
    if service.forced_down:
        return "DOWN"
    return "UP" if service.up else "UNKNOWN"


class ServerView:
    """Renders servers for one request; rights and versions are looked at once, not per server."""

    def __init__(self, request: Request, *, listed: bool = False, updated: bool = False) -> None:
        self._request = request
        self._version = request.version
        self._attributes = request.allowed(_ATTRIBUTES_RULE)
        self._extra_specs = request.version >= (2, 47) and request.allowed("os_compute_api:servers:show:flavor-extra-specs")
        self._drop = _dropped(
            request.version, self._attributes, wants_host_status(request), listed, updated,
        )
        self._plain_addresses = updated and request.version < (2, 75)

    def render(
        self, record: ServerRecord, *, volumes: Mapping[str, Sequence[tuple[str, bool]]] = _NO_VOLUMES,
        statuses: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Answer a server in detail. `statuses` are host names' host_status."""
        document: dict[str, Any] = record.document
        status = states.status(record.vm_state, record.task_state)
        requested_zone = document.get("requested_zone")
        locked = record.locked_by is not None
        answer: dict[str, Any] = {
            "id": record.uuid,
            "name": record.display_name,
            "status": status,
            "tenant_id": record.project_id,
            "user_id": record.user_id,
            "metadata": document.get("metadata", {}),
            "hostId": host_id(record.project_id, record.host),
            "image": self._image(record.image_ref, document),
            "flavor": self._flavor(document["flavor"]),
            "created": zulu(record.created_at),
            "updated": zulu(record.updated_at or record.created_at),
            "addresses": self.addresses(record.network_info),
            "accessIPv4": record.access_ip_v4 or "",
            "accessIPv6": record.access_ip_v6 or "",
            "links": links(self._request, "servers", record.uuid),
            "OS-DCF:diskConfig": "AUTO" if document.get("auto_disk_config", True) else "MANUAL",
            "OS-EXT-AZ:availability_zone": record.availability_zone or requested_zone or "",
            "config_drive": "True" if record.config_drive else "",
            "key_name": record.key_name,
            "OS-SRV-USG:launched_at": _long(record.launched_at),
            "OS-SRV-USG:terminated_at": _long(record.terminated_at),
            "security_groups": [{"name": name} for name in document.get("security_groups", ("default",))],
            "OS-EXT-SRV-ATTR:host": record.host,
            "OS-EXT-SRV-ATTR:hypervisor_hostname": record.node,
            "OS-EXT-SRV-ATTR:instance_name": record.guest_name or numbered_name(record.id),
            "OS-EXT-SRV-ATTR:hostname": record.hostname,
            "OS-EXT-SRV-ATTR:kernel_id": document.get("kernel_id", ""),
            "OS-EXT-SRV-ATTR:ramdisk_id": document.get("ramdisk_id", ""),
            "OS-EXT-SRV-ATTR:launch_index": record.launch_index,
            "OS-EXT-SRV-ATTR:reservation_id": record.reservation_id,
            "OS-EXT-SRV-ATTR:root_device_name": document.get("root_device_name"),
            "OS-EXT-SRV-ATTR:user_data": document.get("user_data"),
            "OS-EXT-STS:task_state": record.task_state,
            "OS-EXT-STS:vm_state": record.vm_state,
            "OS-EXT-STS:power_state": record.power_state,
            "os-extended-volumes:volumes_attached": self._volumes(volumes.get(record.uuid, ())),
            "locked": locked,
            "locked_reason": document.get("locked_reason") if locked else None,
            "host_status": (statuses or {}).get(record.host, "UNKNOWN") if record.host else "",
            "description": document.get("description"),
            "tags": document.get("tags", []),
            "trusted_image_certificates": document.get("trusted_image_certificates"),
            "server_groups": [document["server_group"]] if document.get("server_group") else [],
            "pinned_availability_zone": requested_zone,
            "scheduler_hints": document.get("scheduler_hints", {}),
        }
        if status in states.PROGRESS_STATUSES:
            answer["progress"] = record.progress
        if status in states.FAULT_STATUSES and record.fault:
            answer["fault"] = self._fault(record.fault)
        if not answer["security_groups"]:
            del answer["security_groups"]        # Nova names no groups then, rather than none
        for key in self._drop:
            answer.pop(key, None)
        return answer

    def addresses(self, vifs: Sequence[Mapping[str, Any]] | None) -> dict[str, list[dict[str, Any]]]:
        """Answer addresses by network label, from the stored ports."""
        fixed: dict[str, list[dict[str, Any]]] = {}
        floating: dict[str, list[dict[str, Any]]] = {}
        for vif in vifs or ():
            mac, label = vif["mac"], vif["label"]
            for ip in vif.get("fixed_ips", ()):
                fixed.setdefault(label, []).append(self._address(ip["address"], ip.get("version", 4), "fixed", mac))
                floating.setdefault(label, []).extend(self._address(text, 4, "floating", mac) for text in ip.get("floating", ()))
            fixed.setdefault(label, [])
        return {label: [*found, *floating.get(label, ())] for label, found in fixed.items()}    # public ones last, as Nova

    def _address(self, text: str, version: int, kind: str, mac: str) -> dict[str, Any]:
        if self._plain_addresses:
            return {"version": version, "addr": text}
        return {"version": version, "addr": text, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}

    def _image(self, image_ref: str, document: Mapping[str, Any]) -> Any:
        if not image_ref:
            return ""
        shown: dict[str, Any] = {"id": image_ref, "links": bookmark(self._request, "images", image_ref)}
        if self._version >= (2, 98):
            shown["properties"] = document.get("image_properties", {})
        return shown

    def _flavor(self, flavor: Mapping[str, Any]) -> dict[str, Any]:
        if self._version < (2, 47):
            return {"id": flavor["flavorid"], "links": bookmark(self._request, "flavors", flavor["flavorid"])}
        shown = {
            "vcpus": flavor["vcpus"], "ram": flavor["memory_mb"], "disk": flavor["root_gb"],
            "ephemeral": flavor.get("ephemeral_gb", 0), "swap": flavor.get("swap_mb", 0), "original_name": flavor["name"],
        }
        if self._extra_specs:
            shown["extra_specs"] = flavor.get("extra_specs", {})
        return shown

    def _fault(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        shown = {"code": fault["code"], "created": f"{fault['created'][:19]}Z", "message": fault["message"]}
        if fault.get("details") and (self._request.context.is_admin or fault["code"] != 500):
            shown["details"] = fault["details"]
        return shown

    def _volumes(self, attached: Sequence[tuple[str, bool]]) -> list[dict[str, Any]]:
        if self._version < (2, 3):
            return [{"id": volume_id} for volume_id, _ in attached]
        return [{"id": volume_id, "delete_on_termination": dies} for volume_id, dies in attached]


def _long(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="microseconds")


def task(running: Task) -> str:
    """Answer what a header says of a running task."""
    since, deadline = (
        datetime.fromtimestamp(stamp / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for stamp in (running.step_since, running.deadline)
    )
    return f"{running.kind}; step={running.step or 'begin'}; undoing={str(running.undoing).lower()}; since={since}; deadline={deadline}"
