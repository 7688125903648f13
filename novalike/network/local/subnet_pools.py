"""Subnet pools: prefixes which subnets are cut from, so that those of one pool never overlap."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import subnet_pools
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import ranges
from novalike.network.local.store import Change, Store, is_admin, own, visible
from novalike.objects.router import SubnetPool

_SMALLEST = {4: 8, 6: 64}                        # what min_prefixlen is when none is given
_FREE_LIMIT = 65536                              # prefixes looked at to find a free one
_ADMINS = ("shared", "is_default")


class SubnetPools:
    """The subnet pools of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SubnetPool]:
        """Make pools, all or none. Keys are the fields of objects.SubnetPool. Raises OverQuota, Forbidden, InvalidInput,
        InvalidPrefixLength."""
        return self._store.change(self._create, ctxt, given)

    def _create(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SubnetPool]:
        return [self._make(change, ctxt, {name: value for name, value in values.items() if value is not None}) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any]) -> SubnetPool:
        project_id = values.get("project_id") or ctxt.project_id or ""
        _authorize(ctxt, project_id, values)
        self._store.require(change, project_id, "subnetpool")
        prefixes = merged(values["prefixes"])
        version = prefixes[0].version
        values |= {
            "project_id": project_id, "ip_version": version, "prefixes": tuple(str(prefix) for prefix in prefixes),
        }
        values.setdefault("min_prefixlen", _SMALLEST[version])
        values.setdefault("max_prefixlen", prefixes[0].max_prefixlen)
        values.setdefault("default_prefixlen", values["min_prefixlen"])
        _check_lengths(values, prefixes[0].max_prefixlen)
        _check_default(change.session, values, version)
        pool = SubnetPool(**{"name": "", **values}, id=str(uuid.uuid4()))
        subnet_pools.insert(change.session, pool, change.now)
        return subnet_pools.get(change.session, pool.id)

    def get(self, ctxt: RequestContext, pool_id: str) -> SubnetPool:
        """Answer a pool the caller may see. Raises SubnetPoolNotFound."""
        return self._store.database.fetch(visible_pool, ctxt, pool_id)

    def list_page(self, listing: Listing) -> list[SubnetPool]:
        """Answer pools by a listing, whose `project_id` says who looks."""
        return self._store.database.fetch(subnet_pools.list_page, listing)

    def update(self, ctxt: RequestContext, pool_id: str, changes: dict[str, Any]) -> SubnetPool:
        """Change a pool. Its prefixes may only grow. Raises SubnetPoolNotFound and as `create`."""
        return self._store.change(self._update, ctxt, pool_id, dict(changes))

    def _update(self, change: Change, ctxt: RequestContext, pool_id: str, changes: dict[str, Any]) -> SubnetPool:
        session = change.session
        pool = visible_pool(session, ctxt, pool_id, lock=True, change=True)
        _authorize(ctxt, pool.project_id, {name: changes[name] for name in changes if name in _ADMINS and changes[name] != getattr(pool, name)})
        if "prefixes" in changes:
            prefixes = merged([*changes["prefixes"]])
            if any(not any(_within(old, new) for new in prefixes) for old in map(ipaddress.ip_network, pool.prefixes)):
                raise errors.InvalidInput("Existing prefixes must be a subset of the new prefixes")
            changes["prefixes"] = tuple(str(prefix) for prefix in prefixes)
        lengths = {name: changes.get(name) or getattr(pool, name) for name in ("min_prefixlen", "max_prefixlen", "default_prefixlen")}
        _check_lengths(lengths, 32 if pool.ip_version == 4 else 128)
        if changes.get("is_default") and not pool.is_default:
            _check_default(session, changes, pool.ip_version)
        subnet_pools.update(session, pool_id, {name: value for name, value in changes.items() if value is not None or name == "default_quota"}, change.now)
        return subnet_pools.get(session, pool_id)

    def delete(self, ctxt: RequestContext, pool_id: str) -> None:
        """Remove a pool. Raises SubnetPoolNotFound, SubnetPoolInUse."""
        self._store.change(self._delete, ctxt, pool_id)

    def _delete(self, change: Change, ctxt: RequestContext, pool_id: str) -> None:
        visible_pool(change.session, ctxt, pool_id, lock=True, change=True)
        if subnet_pools.cut(change.session, pool_id):
            raise errors.SubnetPoolInUse(f"Subnet pool {pool_id} could not be deleted: Subnet pool has existing allocations")
        subnet_pools.delete(change.session, pool_id)


def allocate(change: Change, ctxt: RequestContext, pool_id: str, project_id: str, *, cidr: str | None, length: int | None, version: int | None) -> ranges.IpNetwork:
    """Answer a free range of a pool: the one named, or the first of a length (the pool's default). Locks the pool.

    Raises SubnetPoolNotFound, SubnetAllocationError, SubnetPoolQuotaExceeded, InvalidPrefixLength, InvalidInput.
    """
    pool = visible_pool(change.session, ctxt, pool_id, lock=True)
    if version is not None and version != pool.ip_version:
        raise errors.InvalidInput("Cannot allocate requested subnet from the available set of prefixes: its IP version is another.")
    cut = subnet_pools.cut(change.session, pool_id)
    taken = [ipaddress.ip_network(other) for other, _ in cut]
    prefixes: list[Any] = [ipaddress.ip_network(prefix) for prefix in pool.prefixes]
    found: ranges.IpNetwork | None
    if cidr is not None:
        found = ranges.network(cidr, pool.ip_version)
        _check_length(pool, found.prefixlen)
        if not any(found.subnet_of(prefix) for prefix in prefixes) or any(found.overlaps(other) for other in taken):
            raise errors.SubnetAllocationError("Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes")
    else:
        wanted = length or pool.default_prefixlen
        _check_length(pool, wanted)
        found = _free(prefixes, taken, wanted)
        if found is None:
            raise errors.SubnetAllocationError(f"Failed to allocate subnet: Insufficient prefix space to allocate subnet size /{wanted}")
    if pool.default_quota is not None:
        unit = 32 if pool.ip_version == 4 else 64     # as Neutron counts: addresses, or ranges of 64 bits
        used = sum(2 ** max(0, unit - ipaddress.ip_network(other).prefixlen) for other, owner in cut if owner == project_id)
        if used + 2 ** max(0, unit - found.prefixlen) > pool.default_quota:
            raise errors.SubnetPoolQuotaExceeded("Per-tenant subnet pool prefix quota exceeded.")
    return found


def _free(prefixes: Sequence[Any], taken: Sequence[Any], length: int) -> Any:
    looked = 0
    for prefix in prefixes:
        if length < prefix.prefixlen:
            continue
        candidate = int(prefix.network_address)
        step, end = 2 ** (prefix.max_prefixlen - length), int(prefix.broadcast_address)
        while candidate <= end and looked < _FREE_LIMIT:
            looked += 1
            span = type(prefix)((candidate, length))
            clash = next((other for other in taken if other.version == span.version and other.overlaps(span)), None)
            if clash is None:
                return span
            after = int(clash.broadcast_address) + 1     # go on behind what is in the way
            candidate = max(candidate + step, -(-after // step) * step)
    return None


def merged(given: Iterable[str]) -> list[Any]:
    """Check prefixes and answer them with neighbours joined. Raises InvalidInput."""
    try:
        spans: list[Any] = [ipaddress.ip_network(prefix) for prefix in given]
    except ValueError as error:
        raise errors.InvalidInput(f"prefixes: {error}.") from error
    if not spans:
        raise errors.InvalidInput("prefixes: at least one is needed.")
    if len({span.version for span in spans}) > 1:
        raise errors.InvalidInput("prefixes: all must be of one IP version.")
    return list(ipaddress.collapse_addresses(spans))


def visible_pool(session: Session, ctxt: RequestContext, pool_id: str, *, lock: bool = False, change: bool = False) -> SubnetPool:
    """Answer a pool which the caller may use, or change. Raises SubnetPoolNotFound."""
    return visible(
        ctxt, lambda: subnet_pools.get(session, pool_id, lock=lock), errors.SubnetPoolNotFound(f"Subnet pool {pool_id} could not be found."),
        others=lambda pool: pool.shared and not change,
    )


def _authorize(ctxt: RequestContext, project_id: str, values: dict[str, Any]) -> None:
    if not own(ctxt, project_id) or (not is_admin(ctxt) and any(values.get(name) for name in _ADMINS)):
        raise Forbidden("Only administrators may make subnet pools for other projects, or shared or default ones.")


def _check_lengths(values: dict[str, Any], longest: int) -> None:
    low, high, default = values["min_prefixlen"], values["max_prefixlen"], values["default_prefixlen"]
    if not 0 <= low <= longest or not 0 <= high <= longest:
        raise errors.InvalidPrefixLength(f"Illegal prefix length: it must be 0 to {longest}.")
    if low > high:
        raise errors.InvalidPrefixLength(f"Illegal prefix bounds: min_prefixlen={low}, max_prefixlen={high}.")
    if not low <= default <= high:
        raise errors.InvalidPrefixLength(f"Illegal prefix bounds: default_prefixlen={default} is not within {low} to {high}.")


def _check_length(pool: SubnetPool, length: int) -> None:
    if not pool.min_prefixlen <= length <= pool.max_prefixlen:
        raise errors.InvalidPrefixLength(
            f"Unable to allocate subnet with prefix length {length}, allowed prefix lengths are {pool.min_prefixlen} to {pool.max_prefixlen}.",
        )


def _check_default(session: Session, values: dict[str, Any], version: int) -> None:
    if values.get("is_default") and subnet_pools.default(session, version) is not None:
        raise errors.InvalidInput(f"A default subnetpool for this IP family has already been set: there can be one for IPv{version}.")


def _within(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))
