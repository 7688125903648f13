"""Shelving servers, taking them off their hosts, and bringing them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from novalike.api.operations import durable, zones
from novalike.api.operations.server_images import is_volume_backed, new_image
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance, aggregates
from novalike.exception import Conflict, NotBuilt
from novalike.objects.instance import Instance
from novalike.objects.snapshot_tasks import (
    SHELVE,
    SHELVE_OFFLOAD,
    SHELVED_IMAGE,
    SNAPSHOT,
    UNSHELVE,
    UNSHELVE_HERE,
    OffloadState,
    ShelveState,
    UnshelveHereState,
    UnshelveState,
)
from novalike.objects.states import DURABLE, VmState


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an offloaded server shall go. With `pins` it is pinned to `zone` from now on (None: to none)."""

    zone: str | None = None
    pins: bool = False
    host: str | None = None


def shelve(services: ApiServices, ctxt: RequestContext, instance: Instance) -> None:
    """Accept shelving. Raises Conflict in Nova's words, NotBuilt, and what the image service refuses with."""
    acceptance.check(instance, DURABLE["shelve"], pass_lock=ctxt.is_admin)
    if is_volume_backed(services, instance):
        raise NotBuilt("Shelving servers which boot from a volume is not built yet.")
    with new_image(services, ctxt, instance, f"{instance.display_name[:247]}-shelved", SNAPSHOT, {}) as image:
        durable.accept(services, ctxt, instance, "shelve", kind=SHELVE, state=ShelveState(
            image_id=image.id, of_server=True, former=instance.vm_state, host=instance.host or "",
            offload=services.conf.shelved_offload_time == 0,
        ))


def offload(services: ApiServices, ctxt: RequestContext, instance: Instance) -> None:
    """Accept that a shelved server leaves its host. Raises Conflict."""
    acceptance.check(instance, DURABLE["shelve_offload"], pass_lock=ctxt.is_admin)
    durable.accept(
        services, ctxt, instance, "shelve_offload", kind=SHELVE_OFFLOAD, state=OffloadState(host=instance.host or ""),
    )


def unshelve(services: ApiServices, ctxt: RequestContext, instance: Instance, wanted: Destination) -> None:
    """Accept that a shelved server comes back: where it is, or wherever it is wanted. Raises Conflict, Invalid."""
    acceptance.check(instance, DURABLE["unshelve"], pass_lock=ctxt.is_admin)
    image_id = instance.system_metadata.get(SHELVED_IMAGE)
    if instance.vm_state == VmState.SHELVED:
        if wanted.pins or wanted.host:
            raise Conflict(
                f'Specifying an availability zone or a host when unshelving server "{instance.uuid}" with status '
                f'"{instance.vm_state}" is not supported. The server status must be SHELVED_OFFLOADED.',
            )
        durable.accept(services, ctxt, instance, "unshelve", kind=UNSHELVE_HERE, state=UnshelveHereState(image_id=image_id))
        return
    zone = _checked(services, instance, wanted)
    durable.accept(services, ctxt, instance, "unshelve", kind=UNSHELVE, state=UnshelveState(
        image_id=image_id or "", zone=zone, pins=wanted.pins, requested_host=wanted.host,
        image_min_ram=_min_ram(instance.system_metadata),
    ))


def _checked(services: ApiServices, instance: Instance, wanted: Destination) -> str | None:
    """Answer the zone to go to. Raises Invalid for one (or a host) which does not exist, Conflict for a host outside of it."""
    cell = services.cells.for_new_instance()
    zone = wanted.zone if wanted.pins else instance.requested_zone
    if wanted.pins:
        zones.check(services, cell, zones.Destination(zone=zone))
    if wanted.host:
        zones.check_host(services, cell, wanted.host, None)
        with services.cells.shared.read() as session:
            known = aggregates.zones_of_hosts(aggregates.list_aggregates(session))
        if zone is not None and known.get(wanted.host, services.conf.default_availability_zone) != zone:
            raise Conflict(f'Host "{wanted.host}" is not in the availability zone "{zone}".')
    return zone


def _min_ram(remembered: Mapping[str, str]) -> int:
    text = remembered.get("image_min_ram", "")
    return int(text) if text.isdecimal() else 0
