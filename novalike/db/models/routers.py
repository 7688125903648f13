"""GLOBAL: routers, floating addresses and pools of ranges. A router's interfaces and gateway, and the address of a floating IP,
are ports."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, Json, Name, OptUuid, Time, Uuid, Word, table_args


class RouterRow(GlobalBase):
    """A router. `host` is where it runs, empty as long as no host could be found; `network_id` is its external network."""

    __tablename__ = "routers"
    __table_args__ = table_args(Index("ix_routers_project", "project_id", "id"), Index("ix_routers_host", "host"))

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    admin_state_up: Mapped[int] = mapped_column(default=1)
    network_id: Mapped[str | None] = mapped_column(String(36), ForeignKey("networks.id"))
    enable_snat: Mapped[int] = mapped_column(default=1)
    routes: Mapped[Json]                         # [[destination, next hop], ...]
    zone_hints: Mapped[Json] = mapped_column(default=list)
    host: Mapped[Name] = mapped_column(default="")
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class FloatingIpRow(GlobalBase):
    """An address of an external network (held by a port of its own, `address_port_id`) which a router translates to a port's
    fixed address. A fixed address has one of each external network at most."""

    __tablename__ = "floating_ips"
    __table_args__ = table_args(
        Index("ix_floating_ips_project", "project_id", "id"),
        Index("ix_floating_ips_router", "router_id"),
        Index("ix_floating_ips_address", "address"),
        Index("uq_floating_ips_port", "port_id", "fixed_ip_address", "network_id", unique=True),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    project_id: Mapped[Word]
    description: Mapped[Name] = mapped_column(default="")
    network_id: Mapped[str] = mapped_column(String(36), ForeignKey("networks.id"))
    address: Mapped[Word]
    address_port_id: Mapped[str] = mapped_column(String(36), ForeignKey("ports.id"))
    port_id: Mapped[OptUuid]
    fixed_ip_address: Mapped[str | None] = mapped_column(String(64))
    router_id: Mapped[OptUuid]
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class SubnetPoolRow(GlobalBase):
    """Prefixes which subnets are cut from. The row is what allocations lock."""

    __tablename__ = "subnet_pools"
    __table_args__ = table_args(Index("ix_subnet_pools_project", "project_id", "id"))

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    project_id: Mapped[Word]
    name: Mapped[Name]
    description: Mapped[Name] = mapped_column(default="")
    ip_version: Mapped[int]
    prefixes: Mapped[Json]
    min_prefixlen: Mapped[int]
    max_prefixlen: Mapped[int]
    default_prefixlen: Mapped[int]
    default_quota: Mapped[int | None]
    shared: Mapped[int] = mapped_column(default=0)
    is_default: Mapped[int] = mapped_column(default=0)
    tags: Mapped[Json]
    revision_number: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]
    updated_at: Mapped[Time]
