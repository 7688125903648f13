"""GLOBAL: networks, subnets, ports and their addresses, security groups, and what each host was told of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, Json, LongId, Name, OptName, OptUuid, Time, Uuid, Word, table_args


class NetworkRow(GlobalBase):
    """A network. `segment` is the VXLAN or VLAN identifier of networks which have one; NULL for those of a bridge. Networks of
    `physical_network` lie on the wire which each host's configuration gives this name."""

    __tablename__ = "networks"
    __table_args__ = table_args(
        Index("ix_networks_project", "project_id", "id"),
        Index("uq_networks_segment", "network_type", "physical_network", "segment", unique=True),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    admin_state_up: Mapped[int] = mapped_column(default=1)
    shared: Mapped[int] = mapped_column(default=0)
    external: Mapped[int] = mapped_column(default=0)
    is_default: Mapped[int] = mapped_column(default=0)
    port_security: Mapped[int] = mapped_column(default=1)
    mtu: Mapped[int] = mapped_column(default=1500)
    network_type: Mapped[str] = mapped_column(String(16))
    physical_network: Mapped[Word] = mapped_column(default="")
    segment: Mapped[int | None]
    dns_domain: Mapped[Name] = mapped_column(default="")
    zone_hints: Mapped[Json] = mapped_column(default=list)
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class SubnetRow(GlobalBase):
    """A range of addresses. The row is what allocations lock; `cursor` is where the last one ended (32 hex digits)."""

    __tablename__ = "subnets"
    __table_args__ = table_args(
        Index("ix_subnets_network", "network_id"),
        Index("ix_subnets_project", "project_id", "id"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    network_id: Mapped[str] = mapped_column(String(36), ForeignKey("networks.id"))
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    ip_version: Mapped[int]
    cidr: Mapped[Word]
    gateway_ip: Mapped[str | None] = mapped_column(String(64))
    enable_dhcp: Mapped[int] = mapped_column(default=1)
    ipv6_ra_mode: Mapped[str | None] = mapped_column(String(32))
    ipv6_address_mode: Mapped[str | None] = mapped_column(String(32))
    allocation_pools: Mapped[Json]               # [{"start": ..., "end": ...}]
    dns_nameservers: Mapped[Json]
    host_routes: Mapped[Json]                    # [{"destination": ..., "nexthop": ...}]
    subnetpool_id: Mapped[OptUuid]
    tags: Mapped[Json]
    cursor: Mapped[str] = mapped_column(String(32), default="")
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class PortRow(GlobalBase):
    """A port. `owned`: made by the build of the server in `device_id`, and deleted with it; `nic` orders a server's ports."""

    __tablename__ = "ports"
    __table_args__ = table_args(
        Index("uq_ports_network_mac", "network_id", "mac_address", unique=True),
        Index("ix_ports_device", "device_id"),
        Index("ix_ports_host", "host", "network_id"),
        Index("ix_ports_project", "project_id", "id"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    network_id: Mapped[str] = mapped_column(String(36), ForeignKey("networks.id"))
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    mac_address: Mapped[str] = mapped_column(String(17))
    admin_state_up: Mapped[int] = mapped_column(default=1)
    port_security: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(String(16))
    device_id: Mapped[Name] = mapped_column(default="")
    device_owner: Mapped[Name] = mapped_column(default="")
    host: Mapped[Name] = mapped_column(default="")
    vnic_type: Mapped[str] = mapped_column(String(32), default="normal")
    dns_name: Mapped[Name] = mapped_column(default="")
    owned: Mapped[int] = mapped_column(default=0)
    nic: Mapped[int] = mapped_column(default=0)
    tag: Mapped[OptName]                         # the device tag of the server's request
    profile: Mapped[Json]                        # binding:profile
    address_pairs: Mapped[Json]                  # allowed_address_pairs
    dhcp_options: Mapped[Json] = mapped_column(default=list)   # extra_dhcp_opts: [name, value, IP version]
    bandwidth: Mapped[Json] = mapped_column(default=list)      # limits of the server's flavor: {"inbound_average": KiB/s, ...}
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class AddressRow(GlobalBase):
    """An address in use. `number` is the address as 32 hex digits, so that one comparison orders both families."""

    __tablename__ = "addresses"
    __table_args__ = table_args(
        Index("uq_addresses_subnet_number", "subnet_id", "number", unique=True),
        Index("ix_addresses_port", "port_id"),
        Index("ix_addresses_address", "address"),
    )

    id: Mapped[LongId]
    subnet_id: Mapped[str] = mapped_column(String(36), ForeignKey("subnets.id"))
    network_id: Mapped[Uuid]
    port_id: Mapped[str] = mapped_column(String(36), ForeignKey("ports.id"))
    number: Mapped[str] = mapped_column(String(32))
    address: Mapped[Word]


class SecurityGroupRow(GlobalBase):
    """A security group. `default_of` is its project for the group made on demand: unique, so that no project gets two.
    `revision_number` counts changes of it and of its rules, `members_revision` those of its ports and their addresses."""

    __tablename__ = "security_groups"
    __table_args__ = table_args(
        Index("ix_security_groups_project", "project_id", "id"),
        Index("uq_security_groups_default", "default_of", unique=True),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    stateful: Mapped[int] = mapped_column(default=1)
    default_of: Mapped[str | None] = mapped_column(String(64))
    members_revision: Mapped[int] = mapped_column(default=1)
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class SecurityGroupRuleRow(GlobalBase):
    __tablename__ = "security_group_rules"
    __table_args__ = table_args(
        Index("ix_security_group_rules_group", "security_group_id"),
        Index("ix_security_group_rules_remote", "remote_group_id"),
        Index("ix_security_group_rules_project", "project_id", "id"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    security_group_id: Mapped[str] = mapped_column(String(36), ForeignKey("security_groups.id"))
    project_id: Mapped[Word]
    description: Mapped[Name] = mapped_column(default="")
    direction: Mapped[str] = mapped_column(String(8))
    ethertype: Mapped[str] = mapped_column(String(8))
    protocol: Mapped[str | None] = mapped_column(String(40))
    port_range_min: Mapped[int | None]
    port_range_max: Mapped[int | None]
    remote_ip_prefix: Mapped[str | None] = mapped_column(String(64))
    remote_group_id: Mapped[OptUuid]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class PortSecurityGroupRow(GlobalBase):
    """Which ports are in which security group."""

    __tablename__ = "port_security_groups"
    __table_args__ = table_args(
        Index("uq_port_security_groups_port_group", "port_id", "security_group_id", unique=True),
        Index("ix_port_security_groups_group", "security_group_id"),
    )

    id: Mapped[LongId]
    port_id: Mapped[str] = mapped_column(String(36), ForeignKey("ports.id"))
    security_group_id: Mapped[str] = mapped_column(String(36), ForeignKey("security_groups.id"))


class NetworkQuotaRow(GlobalBase):
    """A project's limit of a network resource (network, subnet, port ...) which differs from the configured one."""

    __tablename__ = "network_quotas"
    __table_args__ = table_args(Index("uq_network_quotas_project_resource", "project_id", "resource", unique=True))

    id: Mapped[LongId]
    project_id: Mapped[Word]
    resource: Mapped[Word]
    hard_limit: Mapped[int]


class NetworkHostRow(GlobalBase):
    """A host with ports. Whoever changes what it must do raises `revision` and keeps the row locked until the commit, so
    that a host's revisions become visible in order and `changed since` misses none. `address` is its VXLAN endpoint."""

    __tablename__ = "network_hosts"
    __table_args__ = table_args()

    host: Mapped[Name] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger(), default=0)
    address: Mapped[Word] = mapped_column(default="")


class NetworkHostChangeRow(GlobalBase):
    """The newest revision at which a network changed for a host."""

    __tablename__ = "network_host_changes"
    __table_args__ = table_args(
        Index("uq_network_host_changes_host_network", "host", "network_id", unique=True),
        Index("ix_network_host_changes_revision", "host", "revision"),
    )

    id: Mapped[LongId]
    host: Mapped[Name]
    network_id: Mapped[Uuid]
    revision: Mapped[int] = mapped_column(BigInteger())
