"""What a guest may know of itself: the OpenStack and EC2 metadata documents, as pure functions of a server and its ports.

The metadata service answers paths with `lookup`; a config drive is the same documents as a tree of files. Paths, versions
and fields are those of Nova, which cloud-init and its kin read.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from novalike.exception import NotFound
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.network_info import FixedIp, Subnet, Vif
from novalike.objects.secret import Secret

EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04",
)
OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
    "2020-10-14", "2025-04-04",
)
GRIZZLY, HAVANA, LIBERTY, NEWTON, NEWTON_2 = "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06"
VICTORIA = "2020-10-14"
LATEST = "latest"
#: EC2 versions left out of a config drive: nothing reads them there (Nova's `config_drive_skip_versions`).
CONFIG_DRIVE_EC2_VERSIONS = ("2009-04-04", LATEST)
JSON, TEXT, BYTES = "application/json", "text/plain; charset=UTF-8", "application/octet-stream"

Tree = dict[str, object]          # names to texts, bytes or further trees; "_name" is how a tree shows in its parent's listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the documents are made of.

    `ec2_ids` are the instance's EC2 names by the metadata key which shows them (instance-id, ami-id, kernel-id,
    ramdisk-id); where they are absent, ids of the form Nova makes from numbers are derived. `vendor_data2` holds the
    static document and the answers of dynamic targets by name. `random_seed` are 512 fresh random bytes, or empty.
    `admin_password` belongs on a config drive only, never in the service's answers.
    """

    instance: Instance
    vifs: tuple[Vif, ...] = ()
    block_devices: tuple[BlockDevice, ...] = ()
    files: tuple[tuple[str, str], ...] = ()              # (path, base64 content)
    admin_password: Secret | None = None
    vendor_data: Mapping[str, object] = field(default_factory=dict)
    vendor_data2: Mapping[str, object] = field(default_factory=dict)
    dhcp_domain: str = "novalocal"
    random_seed: bytes = b""
    ec2_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """An answer of the metadata service."""

    content: bytes
    content_type: str = TEXT


# ---- the metadata service -------------------------------------------------------------------------------------------


def lookup(facts: Facts, path: str) -> Document:
    """Answer what the metadata service serves at `path` (with or without a trailing slash). Raises NotFound."""
    tokens = [token for token in path.split("/") if token]
    if not tokens:
        return Document("\n".join((*EC2_VERSIONS, LATEST)).encode())
    if tokens[0] == "openstack":
        return _openstack(facts, tokens[1:])
    version, rest = tokens[0], tokens[1:]
    if version not in (*EC2_VERSIONS, LATEST):
        raise NotFound(f"There is no metadata version {version!r}.")
    node: object = ec2_tree(facts, version)
    for token in rest:
        if not isinstance(node, dict) or token not in node or token.startswith("_"):
            raise NotFound(f"There is no metadata at {path!r}.")
        node = node[token]
    if isinstance(node, bytes):
        return Document(node, BYTES)
    return Document(_listing(node).encode())


def _openstack(facts: Facts, tokens: list[str]) -> Document:
    if not tokens:
        return Document("\n".join((*OPENSTACK_VERSIONS, LATEST)).encode())
    if tokens[0] == "content":
        return _content(facts, tokens[1:])
    version = _openstack_version(tokens[0])
    names = openstack_names(facts, version)
    if len(tokens) == 1:
        return Document("\n".join(names).encode())
    if len(tokens) > 2 or tokens[1] not in names:
        raise NotFound(f"There is no metadata at '/openstack/{'/'.join(tokens)}'.")
    if tokens[1] == "password":
        return Document(guest_password(facts.instance).encode())
    content = openstack_document(facts, version, tokens[1])
    return Document(content, JSON if tokens[1].endswith(".json") else BYTES)


def _openstack_version(wanted: str) -> str:
    """Answer the newest version that is not newer than the wanted one, so that guests of the future still get an answer."""
    if wanted == LATEST:
        return OPENSTACK_VERSIONS[-1]
    known = [version for version in OPENSTACK_VERSIONS if version <= wanted]
    if not known or not wanted[:1].isdigit():
        raise NotFound(f"There is no OpenStack metadata version {wanted!r}.")
    return known[-1]


def _content(facts: Facts, tokens: list[str]) -> Document:
    if len(tokens) == 1 and tokens[0].isdigit() and int(tokens[0]) < len(facts.files) and len(tokens[0]) == 4:
        return Document(_decoded(facts.files[int(tokens[0])][1]), BYTES)
    raise NotFound("There is no such injected file.")


def _listing(node: object) -> str:
    if isinstance(node, dict):
        lines = []
        for name in sorted(node):
            child = node[name]
            if name == "_name":
                continue
            lines.append(str(child.get("_name", f"{name}/")) if isinstance(child, dict) else name)
        return "\n".join(lines)
    if isinstance(node, (list, tuple)):
        return "\n".join(str(item) for item in node)
    return str(node)


# ---- OpenStack documents --------------------------------------------------------------------------------------------


def openstack_names(facts: Facts, version: str) -> tuple[str, ...]:
    """Answer the names of the documents which `/openstack/{version}` has."""
    names = ["meta_data.json"]
    if facts.instance.user_data is not None:
        names.append("user_data")
    if version >= GRIZZLY:
        names.append("password")
    if version >= HAVANA:
        names.append("vendor_data.json")
    if version >= NEWTON_2:
        names.append("vendor_data2.json")
    if version >= LIBERTY:
        names.append("network_data.json")
    return tuple(names)


def openstack_document(facts: Facts, version: str, name: str) -> bytes:
    """Answer the bytes of one of `openstack_names`, except password. Raises NotFound."""
    match name:
        case "meta_data.json":
            return _json(meta_data(facts, version))
        case "network_data.json":
            return _json(network_data(facts.vifs))
        case "vendor_data.json":
            return _json(facts.vendor_data)
        case "vendor_data2.json":
            return _json({"static": facts.vendor_data, **facts.vendor_data2})
        case "user_data" if facts.instance.user_data is not None:
            return user_data(facts.instance)
    raise NotFound(f"There is no metadata document {name!r}.")


def meta_data(facts: Facts, version: str = LATEST) -> dict[str, object]:
    """Answer meta_data.json of a version."""
    instance = facts.instance
    version = _openstack_version(version)
    document: dict[str, object] = {"uuid": instance.uuid}
    if instance.metadata:
        document["meta"] = dict(instance.metadata)
    if facts.files:
        document["files"] = [
            {"path": path, "content_path": f"/content/{number:04d}"} for number, (path, _) in enumerate(facts.files)
        ]
    if facts.admin_password:
        document["admin_pass"] = facts.admin_password.reveal()
    if instance.key_name and instance.key_data:
        document["public_keys"] = {instance.key_name: instance.key_data}
        document["keys"] = [{"name": instance.key_name, "type": instance.key_type, "data": instance.key_data}]
    document["hostname"] = hostname(facts)
    document["name"] = instance.display_name
    document["launch_index"] = instance.launch_index
    document["availability_zone"] = instance.availability_zone
    if version >= GRIZZLY and facts.random_seed:
        document["random_seed"] = base64.b64encode(facts.random_seed).decode()
    if version >= LIBERTY:
        document["project_id"] = instance.project_id
    if version >= NEWTON:
        document["devices"] = list(_devices(facts))
    if version >= VICTORIA:
        held = instance.hardware
        document["dedicated_cpus"] = sorted(guest for cell in held.cells for guest, _ in cell.pins) if held is not None else []
    return document


def _devices(facts: Facts) -> Iterator[dict[str, object]]:
    # Nova shows "none" as well where the bus address is not known when the document is made.
    for vif in facts.vifs:
        if vif.tag:
            yield {"type": "nic", "bus": "none", "address": "none", "mac": vif.mac, "tags": [vif.tag]}
    for disk in facts.block_devices:
        if disk.tag:
            yield {
                "type": "disk", "bus": "none", "address": "none", "serial": disk.volume_id or disk.uuid,
                "path": disk.device_name, "tags": [disk.tag],
            }


def hostname(facts: Facts) -> str:
    """Answer the server's host name as guests are told it: with the DHCP domain, unless it is a full name already."""
    name = facts.instance.hostname
    return f"{name}.{facts.dhcp_domain}" if facts.dhcp_domain and "." not in name else name


def user_data(instance: Instance) -> bytes:
    """Answer the raw bytes of the server's user data; empty when there is none."""
    return _decoded(instance.user_data or "")


def guest_password(instance: Instance) -> str:
    """Answer the encrypted password which the guest posted (kept in pieces, as Nova keeps it); empty when none."""
    return "".join(instance.system_metadata.get(f"password_{number}", "") for number in range(4))


# ---- network_data.json ----------------------------------------------------------------------------------------------


def network_data(vifs: tuple[Vif, ...]) -> dict[str, object]:
    """Answer network_data.json: links (NICs), networks (one per address) and services (name servers)."""
    links: list[dict[str, object]] = []
    networks: list[dict[str, object]] = []
    services: list[dict[str, str]] = []
    for vif in vifs:
        link = vif.tap or f"tap{vif.port_id[:11]}"
        links.append({
            "id": link, "vif_id": vif.port_id, "type": vif.vif_type if vif.vif_type in ("bridge", "ovs", "tap", "vhostuser") else "phy",
            "mtu": vif.mtu, "ethernet_mac_address": vif.mac,
        })
        subnets = {subnet.id: subnet for subnet in vif.subnets}
        for address in vif.fixed_ips:
            subnet = subnets.get(address.subnet_id)
            if subnet is None:
                continue
            networks.append(_network(f"network{len(networks)}", link, vif, address, subnet))
            services += [service for service in _name_servers(subnet) if service not in services]
    return {"links": links, "networks": networks, "services": services}


def _network(name: str, link: str, vif: Vif, address: FixedIp, subnet: Subnet) -> dict[str, object]:
    entry: dict[str, object] = {"id": name, "type": f"ipv{subnet.version}", "link": link, "network_id": vif.network_id}
    if subnet.address_mode:
        entry["type"] = f"ipv6_{subnet.address_mode}"
    elif subnet.dhcp_server is not None:
        entry["type"] = f"ipv{subnet.version}_dhcp"
        return entry
    routes = [_route(destination, gateway) for destination, gateway in subnet.routes]
    if subnet.gateway:
        routes.insert(0, _route("0.0.0.0/0" if subnet.version == 4 else "::/0", subnet.gateway))
    entry |= {
        "ip_address": address.address, "netmask": str(ipaddress.ip_network(subnet.cidr, strict=False).netmask),
        "routes": routes, "services": _name_servers(subnet),
    }
    return entry


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ipaddress.ip_network(destination, strict=False)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": gateway}


def _name_servers(subnet: Subnet) -> list[dict[str, str]]:
    return [{"type": "dns", "address": address} for address in subnet.dns]


# ---- EC2 ------------------------------------------------------------------------------------------------------------


def ec2_tree(facts: Facts, version: str = LATEST) -> Tree:
    """Answer the tree below `/{version}`: meta-data, and user-data where there is some."""
    version = EC2_VERSIONS[-1] if version == LATEST else version
    instance = facts.instance
    ids = {
        "ami-id": "ami-00000000", "instance-id": f"i-{instance.id:08x}",
        **({"kernel-id": "aki-00000000"} if instance.kernel_id else {}),
        **({"ramdisk-id": "ari-00000000"} if instance.ramdisk_id else {}), **facts.ec2_ids,
    }
    fixed = [ip for vif in facts.vifs for ip in vif.fixed_ips]
    first_v4 = next((ip for ip in fixed if ip.version == 4), None)
    floating = next((address for ip in fixed for address in ip.floating), "")
    name = hostname(facts)
    meta: Tree = {
        "ami-id": ids["ami-id"], "ami-launch-index": str(instance.launch_index), "ami-manifest-path": "FIXME",
        "instance-id": ids["instance-id"], "hostname": name, "local-ipv4": first_v4.address if first_v4 else "",
        "reservation-id": instance.reservation_id, "security-groups": list(instance.security_groups),
    }
    if instance.key_name and instance.key_data:
        meta["public-keys"] = {"0": {"_name": f"0={instance.key_name}", "openssh-key": instance.key_data}}
    if version >= "2007-01-19":
        meta |= {"local-hostname": name, "public-hostname": name, "public-ipv4": floating}
    if version >= "2007-08-29":
        meta["instance-type"] = instance.flavor.name
    if version >= "2007-12-15":
        meta["block-device-mapping"] = _block_device_mapping(facts)
        meta |= {key: ids[key] for key in ("kernel-id", "ramdisk-id") if key in ids}
    if version >= "2008-02-01":
        meta["placement"] = {"availability-zone": instance.availability_zone or ""}
    if version >= "2008-09-01":
        meta["instance-action"] = "none"
    tree: Tree = {"meta-data": meta}
    if instance.user_data is not None:
        tree["user-data"] = user_data(instance)
    return tree


def _block_device_mapping(facts: Facts) -> Tree:
    root = facts.instance.root_device_name or "/dev/vda"
    mapping: Tree = {"ami": root.removeprefix("/dev/"), "root": root}
    blank = [disk for disk in facts.block_devices if disk.source_type == "blank" and disk.destination_type == "local"]
    ephemerals = [disk for disk in blank if disk.guest_format != "swap"]
    mapping |= {f"ephemeral{number}": disk.device_name for number, disk in enumerate(ephemerals) if disk.device_name}
    swap = next((disk.device_name for disk in blank if disk.guest_format == "swap" and disk.device_name), None)
    if swap:
        mapping["swap"] = swap
    volumes = [disk for disk in facts.block_devices if disk.destination_type == "volume" and disk.device_name]
    mapping |= {f"ebs{number}": disk.device_name for number, disk in enumerate(volumes)}
    return mapping


# ---- config drive ---------------------------------------------------------------------------------------------------


def config_drive_tree(facts: Facts) -> dict[str, bytes]:
    """Answer every file of a config drive by its path."""
    tree: dict[str, bytes] = {}
    for version in CONFIG_DRIVE_EC2_VERSIONS:
        data = ec2_tree(facts, version)
        if "user-data" in data:
            tree[f"ec2/{version}/user-data"] = user_data(facts.instance)
        tree[f"ec2/{version}/meta-data.json"] = _json(_without_names(data["meta-data"]))
    for version in (*OPENSTACK_VERSIONS, LATEST):
        exact = _openstack_version(version)
        for name in openstack_names(facts, exact):
            if name != "password":                       # the guest posts it to the service; a disk cannot take it
                tree[f"openstack/{version}/{name}"] = openstack_document(facts, exact, name)
    for number, (_, content) in enumerate(facts.files):
        tree[f"openstack/content/{number:04d}"] = _decoded(content)
    return tree


def _without_names(node: object) -> object:
    if isinstance(node, dict):
        return {name: _without_names(child) for name, child in node.items() if name != "_name"}
    return node


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text.encode()                             # the API checks base64; whatever came past it is kept as it is


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
