"""Bodies and query strings of /servers."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import BOOLEAN, DESCRIPTION, METADATA_KEY, NAME, UUID

#: Metadata of a server: keys and values of at most 255 characters.
METADATA: dict[str, Any] = {
    "type": "object", "additionalProperties": False,
    "patternProperties": {METADATA_KEY: {"type": "string", "maxLength": 255}},
}
_DESCRIPTION: dict[str, Any] = {**DESCRIPTION, "maxLength": 255}
TAG: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
TAGS: dict[str, Any] = {"type": "array", "items": TAG, "maxItems": 50}
_TEXT255: dict[str, Any] = {"type": "string", "maxLength": 255}
_NULLABLE255: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}
_DEVICE_TAG: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
#: Device tags exist from 2.32 to 2.36 (2.32 only, for disks), and again from 2.42.
_NIC_TAG = (Field(_DEVICE_TAG, since="2.32", until="2.36"), Field(_DEVICE_TAG, since="2.42"))
_DISK_TAG = (Field(_DEVICE_TAG, since="2.32", until="2.32"), Field(_DEVICE_TAG, since="2.42"))
_WHOLE: dict[str, Any] = {"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 0, "maximum": 999_999_999}
_COUNT: dict[str, Any] = {"type": ["integer", "string"], "pattern": "^0*[1-9][0-9]{0,8}$", "minimum": 1, "maximum": 999_999_999}
_IPV4: dict[str, Any] = {"type": "string", "format": "ipv4"}
_IPV6: dict[str, Any] = {"type": "string", "format": "ipv6"}
_LABEL: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$"}
_FQDN: dict[str, Any] = {
    "type": "string", "minLength": 1, "maxLength": 255,
    "pattern": r"^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$",
}
_HOSTNAME = (Field(_LABEL, since="2.90", until="2.93"), Field(_FQDN, since="2.94"))
_NETWORKS: dict[str, Any] = {"type": "array", "maxItems": 100, "items": Object({
    "uuid": Field(UUID),
    "port": Field({"oneOf": [UUID, {"type": "null"}]}),
    "fixed_ip": Field({"type": "string", "format": "ip"}),
    "tag": _NIC_TAG,
})}
_OLD_DISK: dict[str, Field | tuple[Field, ...]] = {
    "virtual_name": Field(_TEXT255), "volume_id": Field({"oneOf": [UUID, {"type": "null"}]}), "snapshot_id": Field(UUID),
    "volume_size": Field({"type": ["integer", "string", "null"], "pattern": "^[0-9]{0,9}$", "maximum": 999_999_999, "minimum": 0}),
    "device_name": Field({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._/-]*$"}),
    "delete_on_termination": Field(BOOLEAN), "no_device": Field({"type": ["boolean", "string", "null", "object"]}),
    "connection_info": Field(_TEXT255),
}
_DISK = Object({
    **_OLD_DISK,
    "device_name": Field({"type": ["string", "null"], "maxLength": 255, "pattern": "^[a-zA-Z0-9._/-]*$"}),
    "volume_id": Field(_NULLABLE255), "snapshot_id": Field(_NULLABLE255),
    "source_type": Field({"type": "string", "enum": ["volume", "image", "snapshot", "blank"]}),
    "uuid": Field({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._-]*$"}),
    "image_id": Field(UUID), "destination_type": Field({"type": "string", "enum": ["local", "volume"]}),
    "guest_format": Field(_TEXT255), "device_type": Field(_TEXT255), "disk_bus": Field(_TEXT255),
    "boot_index": Field({"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,9}$", "minimum": -999, "maximum": 999}),
    "tag": _DISK_TAG, "volume_type": Field(_NULLABLE255, since="2.67"),
})
_PERSONALITY: dict[str, Any] = {"type": "array", "maxItems": 1000, "items": Object({
    "path": Field({"type": "string", "minLength": 1, "maxLength": 4096}, required=True),
    "contents": Field({"type": "string", "format": "base64"}, required=True),
})}
_MANY_UUIDS: dict[str, Any] = {"oneOf": [UUID, {"type": "array", "items": UUID, "maxItems": 1000}]}
_HINTS = Object({
    "group": Field(UUID), "different_host": Field(_MANY_UUIDS), "same_host": Field(_MANY_UUIDS),
    "query": Field({"oneOf": [{"type": "string", "maxLength": 4096}, {"type": "object"}, {"type": "array", "maxItems": 100}]}),
    "target_cell": Field({"type": "string", "minLength": 1, "maxLength": 255}),
    "different_cell": Field({"type": ["string", "array"], "maxLength": 255, "maxItems": 100}),
    "build_near_host_ip": Field({"type": "string", "format": "ip"}),
    "cidr": Field({"type": "string", "pattern": r"^/[0-9a-f.:]{1,40}$"}),
}, extra=True)

_SERVER = Object({
    "name": Field(NAME, required=True),
    "description": Field(_DESCRIPTION, since="2.19"),
    "hostname": _HOSTNAME,
    "imageRef": Field({"type": "string", "maxLength": 1024}),
    "flavorRef": Field({"type": ["string", "integer"], "minLength": 1, "maxLength": 1024}, required=True),
    "adminPass": Field({"type": "string", "maxLength": 255}),
    "metadata": Field(METADATA),
    "networks": (
        Field(_NETWORKS, until="2.36"),
        Field({"oneOf": [_NETWORKS, {"type": "string", "enum": ["none", "auto"]}]}, since="2.37", required=True),
    ),
    "OS-DCF:diskConfig": Field({"type": "string", "enum": ["AUTO", "MANUAL"]}),
    "accessIPv4": Field(_IPV4),
    "accessIPv6": Field(_IPV6),
    "personality": Field(_PERSONALITY, until="2.56"),
    "availability_zone": Field(NAME),
    "block_device_mapping": Field({"type": "array", "maxItems": 100, "items": Object(_OLD_DISK, extra=True)}),
    "block_device_mapping_v2": Field({"type": "array", "maxItems": 100, "items": _DISK}),
    "config_drive": Field(BOOLEAN),
    "key_name": Field(NAME),
    "min_count": Field(_COUNT),
    "max_count": Field(_COUNT),
    "return_reservation_id": Field(BOOLEAN),
    "security_groups": Field({"type": "array", "maxItems": 100, "items": Object(
        {"name": Field(NAME)},
    )}),
    "user_data": Field({"type": "string", "format": "base64", "maxLength": 65535}),
    "tags": Field(TAGS, since="2.52"),
    "trusted_image_certificates": Field({
        "type": ["array", "null"], "minItems": 1, "maxItems": 50, "uniqueItems": True,
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
    }, since="2.63"),
    "host": Field(NAME, since="2.74"),
    "hypervisor_hostname": Field(NAME, since="2.74"),
})

CREATE = wrapped("server", _SERVER, **{
    "os:scheduler_hints": Field(_HINTS), "OS-SCH-HNT:scheduler_hints": Field(_HINTS),
})
UPDATE = wrapped("server", Object({
    "name": Field(NAME),
    "OS-DCF:diskConfig": Field({"type": "string", "enum": ["AUTO", "MANUAL"]}),
    "accessIPv4": Field(_IPV4),
    "accessIPv6": Field(_IPV6),
    "description": Field(_DESCRIPTION, since="2.19"),
    "hostname": _HOSTNAME,
    "pinned_availability_zone": Field({"oneOf": [NAME, {"type": "null"}]}, since="2.104"),
}))

_OR_NULL: dict[str, Any] = {"type": "null"}
REBUILD = wrapped("rebuild", Object({
    "name": Field(NAME),
    "imageRef": Field({"type": "string", "maxLength": 1024}, required=True),
    "adminPass": Field({"type": "string", "maxLength": 255}),
    "metadata": Field(METADATA),
    "preserve_ephemeral": Field(BOOLEAN),
    "OS-DCF:diskConfig": Field({"type": "string", "enum": ["AUTO", "MANUAL"]}),
    "accessIPv4": Field(_IPV4),
    "accessIPv6": Field(_IPV6),
    "personality": Field(_PERSONALITY, until="2.56"),
    "description": Field(_DESCRIPTION, since="2.19"),
    "key_name": Field({"oneOf": [NAME, _OR_NULL]}, since="2.54"),
    "user_data": Field({"oneOf": [{"type": "string", "format": "base64", "maxLength": 65535}, _OR_NULL]}, since="2.57"),
    "trusted_image_certificates": Field({
        "type": ["array", "null"], "minItems": 1, "maxItems": 50, "uniqueItems": True,
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
    }, since="2.63"),
    "hostname": _HOSTNAME,
}))

_TIME: dict[str, Any] = {"type": "string", "maxLength": 64}
#: Names in the query which filter columns, whatever the version; the rest stands in LIST itself.
_FILTERS = (
    "user_id", "project_id", "tenant_id", "launch_index", "image_ref", "image", "kernel_id", "ramdisk_id", "hostname", "key_name",
    "power_state", "vm_state", "task_state", "host", "node", "flavor", "reservation_id", "launched_at", "terminated_at",
    "availability_zone", "name", "display_name", "description", "display_description", "locked_by", "uuid", "root_device_name",
    "config_drive", "access_ip_v4", "access_ip_v6", "auto_disk_config", "progress", "all_tenants", "soft_deleted", "deleted",
    "status", "ip", "ip6", "created_at", "metadata", "system_metadata",
    # Accepted since ever, without an effect.
    "block_device_mapping", "services", "info_cache", "security_groups", "pci_devices",
)
#: What sorts, and (second) what was once accepted and has no effect.
SORT_KEYS = (
    "access_ip_v4", "access_ip_v6", "auto_disk_config", "availability_zone", "config_drive", "created_at", "display_description",
    "display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id", "key_name", "launch_index", "launched_at",
    "locked_by", "node", "power_state", "progress", "project_id", "ramdisk_id", "root_device_name", "task_state", "terminated_at",
    "updated_at", "user_id", "uuid", "vm_state",
)
_IGNORED_SORT_KEYS = (
    "architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at",
    "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on", "memory_mb", "os_type",
    "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
)
LIST = Query({
    **{name: Parameter(TEXT) for name in _FILTERS},
    "sort_key": (
        Parameter({"type": "string", "enum": [*SORT_KEYS, *_IGNORED_SORT_KEYS]}, until="2.72"),
        Parameter({"type": "string", "enum": [*SORT_KEYS, *_IGNORED_SORT_KEYS, "locked"]}, since="2.73"),
    ),
    "sort_dir": Parameter({"type": "string", "enum": ["asc", "desc"]}),
    "limit": Parameter(INTEGER),
    "marker": Parameter(TEXT),
    "changes-since": Parameter(_TIME),
    "changes-before": Parameter(_TIME, since="2.66"),
    **{name: Parameter(TEXT, since="2.26") for name in ("tags", "tags-any", "not-tags", "not-tags-any")},
    "locked": Parameter({"type": "string", "enum": [v for v in BOOLEAN["enum"] if isinstance(v, str)]}, since="2.73"),
}, unknown="2.75")
NOTHING = Query({}, unknown="2.102")
