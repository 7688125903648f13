"""From the body of POST /servers to operations.create.CreateServers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from novalike.api.http.application import Request
from novalike.api.http.schema import is_uuid
from novalike.api.openstack import idempotency
from novalike.api.openstack.schemas.names import boolean
from novalike.api.operations import once
from novalike.api.operations.create import CreateServers
from novalike.api.operations.disks import RequestedDisk
from novalike.exception import Invalid
from novalike.objects.network_info import ON_DEMAND, RequestedNetwork
from novalike.objects.secret import Secret

_CREATE = "os_compute_api:servers:create"


def requested(request: Request) -> CreateServers:
    """Answer what a checked body asks for; rights which parts of it need are checked here. Raises Invalid, Forbidden."""
    body: dict[str, Any] = request.body_value["server"]
    zone: str | None = body.get("availability_zone")
    if zone is not None and ":" in zone:
        request.authorize(f"{_CREATE}:forced_host")
    host, node = body.get("host"), body.get("hypervisor_hostname")
    if host or node:
        request.authorize("compute:servers:create:requested_destination")
        if zone is not None and ":" in zone:
            raise Invalid("Unable to specify both a host in availability_zone and host or hypervisor_hostname.")
    if body.get("trusted_image_certificates"):
        request.authorize(f"{_CREATE}:trusted_certs")
    networks = _networks(body)
    if networks and networks != (ON_DEMAND,):
        request.authorize(f"{_CREATE}:attach_network")
    minimum, maximum = _counts(body, networks)
    disks = _disks(body)
    hostname = body.get("hostname")
    return CreateServers(
        name=body["name"].strip(), flavor_id=str(body["flavorRef"]).rstrip("/").rpartition("/")[2], image_id=_image_id(body, disks),
        networks=networks, minimum=minimum, maximum=maximum, key_name=body.get("key_name"), metadata=body.get("metadata", {}),
        security_groups=tuple(dict.fromkeys(group["name"] for group in body.get("security_groups", ()) if group.get("name"))),
        availability_zone=zone, requested_host=host, requested_node=node, hostname=hostname, description=body.get("description"),
        user_data=body.get("user_data"), files=tuple((f["path"], f["contents"]) for f in body.get("personality", ())),
        config_drive=boolean(body.get("config_drive", False)), disks=disks,
        admin_password=Secret(body["adminPass"]) if body.get("adminPass") else None, tags=tuple(body.get("tags", ())),
        hints=request.body_value.get("os:scheduler_hints") or request.body_value.get("OS-SCH-HNT:scheduler_hints") or {},
        access_ip_v4=address(body.get("accessIPv4")), access_ip_v6=address(body.get("accessIPv6")),
        auto_disk_config=body["OS-DCF:diskConfig"] == "AUTO" if "OS-DCF:diskConfig" in body else None,
        trusted_certificates=tuple(body["trusted_image_certificates"]) if body.get("trusted_image_certificates") else None,
        zero_disk_allowed=request.allowed(f"{_CREATE}:zero_disk_flavor"), key=idempotency.key(request, once.SERVERS),
    )


def address(text: str | None) -> str | None:
    """Answer a valid address in its shortest form, as it is stored and shown."""
    return str(ipaddress.ip_address(text)) if text else text


def access_addresses(body: Mapping[str, Any]) -> dict[str, str | None]:
    """Answer the access addresses which a body names, as fields of the server."""
    fields = {"accessIPv4": "access_ip_v4", "accessIPv6": "access_ip_v6"}
    return {field: address(body[key]) for key, field in fields.items() if key in body}


def _counts(body: Mapping[str, Any], networks: tuple[RequestedNetwork, ...] | None) -> tuple[int, int]:
    minimum = int(body.get("min_count", 1))
    maximum = int(body.get("max_count", minimum))
    if minimum > maximum:
        raise Invalid("min_count must be <= max_count")
    if maximum > 1 and any(network.port_id for network in networks or ()):
        raise Invalid("Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.")
    if maximum > 1 and any(network.fixed_ip for network in networks or ()):
        raise Invalid("max_count cannot be greater than 1 if an fixed_ip is specified.")
    return minimum, maximum


def _image_id(body: Mapping[str, Any], disks: tuple[RequestedDisk, ...]) -> str:
    reference: str = body.get("imageRef", "")
    if not reference:
        booting = next((disk.uuid for disk in disks if disk.source_type == "image" and disk.boot_index == 0), None)
        if booting is None and not disks:
            raise Invalid("Missing imageRef attribute")
        reference = booting or ""
    image_id = reference.rstrip("/").rpartition("/")[2]
    if reference and not is_uuid(image_id):
        raise Invalid("Invalid imageRef provided.")
    return image_id


def _networks(body: Mapping[str, Any]) -> tuple[RequestedNetwork, ...] | None:
    given = body.get("networks")
    if given is None:
        return None
    if given == "auto":
        return (ON_DEMAND,)
    if given == "none":
        return ()
    found = []
    for network in given:
        port, fixed_ip = network.get("port"), network.get("fixed_ip")
        if port and fixed_ip:
            raise Invalid(f"Specified Fixed IP '{fixed_ip}' cannot be used with port '{port}': the two cannot be specified together.")
        if not port and not network.get("uuid"):
            raise Invalid("Bad network format: missing 'uuid'")
        found.append(RequestedNetwork(
            network_id=None if port else network["uuid"], port_id=port, fixed_ip=fixed_ip, tag=network.get("tag"),
        ))
    return tuple(found) or None


def _disks(body: Mapping[str, Any]) -> tuple[RequestedDisk, ...]:
    if body.get("block_device_mapping") and body.get("block_device_mapping_v2"):
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    if body.get("block_device_mapping"):
        return tuple(
            RequestedDisk(source_type="volume" if disk.get("volume_id") else "snapshot", destination_type="volume")
            for disk in body["block_device_mapping"] if not disk.get("no_device")
        )
    return tuple(_disk(disk) for disk in body.get("block_device_mapping_v2", ()) if not disk.get("no_device"))


def _disk(disk: Mapping[str, Any]) -> RequestedDisk:
    source = disk.get("source_type")
    if source is None:
        source = "volume" if disk.get("volume_id") else "snapshot" if disk.get("snapshot_id") else "image" if disk.get("image_id") else "blank"
    index, size = disk.get("boot_index"), disk.get("volume_size")
    return RequestedDisk(
        source_type=source, destination_type=disk.get("destination_type") or ("volume" if source in {"volume", "snapshot"} else None),
        uuid=disk.get("uuid") or disk.get("image_id"), boot_index=None if index is None else int(index),
        volume_size=int(size) if size not in {None, ""} else None, device_name=disk.get("device_name"),
        device_type=disk.get("device_type"), disk_bus=disk.get("disk_bus"), guest_format=disk.get("guest_format") or None,
        delete_on_termination=boolean(disk.get("delete_on_termination", False)), tag=disk.get("tag"),
    )
