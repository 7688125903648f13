"""Resize and cold migration: accepted when they can be, for the flavor, the image and the quota; then confirmed or reverted."""

from __future__ import annotations

import logging
import uuid as uuid_module

from sqlalchemy.orm import Session

from novalike.api.operations import hardware, images, notices, quotas, zones
from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance, flavors, hosts, reservations, resizes
from novalike.exception import Conflict, Invalid, NotFound, Unavailable
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.move_tasks import Departure, ResizeState
from novalike.objects.states import DURABLE

LOG = logging.getLogger(__name__)


def resize(
    services: ApiServices, ctxt: RequestContext, instance: Instance, flavor_id: str, *, auto_disk_config: bool | None = None,
) -> None:
    """Accept that a server gets another flavor. `auto_disk_config` None: as it is.

    Raises Invalid when the flavor does not fit or is none, OverQuota, Conflict when the server's state does not allow it or
    its host is down.
    """
    _check(services, ctxt, instance, "resize")
    flavor = _flavor(services, ctxt, flavor_id)
    _check_flavor(services, ctxt, instance, flavor, flavor_id)
    if auto_disk_config and instance.image_properties.get("auto_disk_config", "").lower() in {"false", "0", "no", "off"}:
        raise Invalid(f"Requested image {instance.image_ref} has automatic disk resize disabled.")
    _accept(
        services, ctxt, instance, "resize", flavor, same_host_allowed=services.conf.allow_resize_to_same_host,
        auto_disk_config=instance.auto_disk_config if auto_disk_config is None else auto_disk_config,
    )


def migrate(services: ApiServices, ctxt: RequestContext, instance: Instance, *, host: str | None = None) -> None:
    """Accept that a server moves to another host (this one, if named), powered off. Raises Invalid, Conflict."""
    _check(services, ctxt, instance, "migrate")
    if host is not None:
        if host == instance.host:
            raise Invalid("Cannot migrate to the host where the server exists.")
        zones.check_host(services, services.cells.for_new_instance(), host, None)
    _accept(
        services, ctxt, instance, "migrate", instance.flavor, same_host_allowed=False, requested_host=host,
        auto_disk_config=instance.auto_disk_config,
    )


def confirm(services: ApiServices, ctxt: RequestContext, instance: Instance) -> None:
    """Accept that a resize stays. Raises Conflict, Invalid when there was none."""
    task_id = services.cells.of_instance(instance.uuid).write(
        resizes.begin_confirm, instance, caller_of(ctxt), now=services.clock.now(), pass_lock=ctxt.is_admin,
    )
    services.doorbell.ring(ctxt, [task_id])


def revert(services: ApiServices, ctxt: RequestContext, instance: Instance) -> None:
    """Accept that a resize is taken back. Raises Conflict, Invalid when there was none."""
    task_id = services.cells.of_instance(instance.uuid).write(
        resizes.begin_revert, instance, caller_of(ctxt), now=services.clock.now(), pass_lock=ctxt.is_admin,
    )
    notices.accepted(services, ctxt, instance)
    services.doorbell.ring(ctxt, [task_id])


def _check(services: ApiServices, ctxt: RequestContext, instance: Instance, operation: str) -> None:
    acceptance.check(instance, DURABLE[operation], pass_lock=ctxt.is_admin)

    def is_up(session: Session) -> bool:
        try:
            return hosts.find_service(
                session, instance.host or "", hosts.COMPUTE_BINARY, down_after=services.conf.service_down_time,
            ).up
        except NotFound:
            return False
    if not services.cells.of_instance(instance.uuid).fetch(is_up):
        raise Conflict("Service is unavailable at this time.")


def _flavor(services: ApiServices, ctxt: RequestContext, flavor_id: str) -> Flavor:
    try:
        with services.cells.shared.read() as session:
            return flavors.get_by_flavorid(session, flavor_id, ctxt.project_id, ctxt.is_admin)
    except NotFound as error:                    # of something in the body, not of the resource
        raise Invalid(f"Flavor {flavor_id[:255]} could not be found.") from error


def _check_flavor(services: ApiServices, ctxt: RequestContext, instance: Instance, flavor: Flavor, flavor_id: str) -> None:
    old = instance.flavor
    same = flavor.id == old.id if old.id is not None else flavor.flavorid == old.flavorid
    if same:
        raise Invalid("When resizing, instances must change flavor!")
    if flavor.disabled:
        raise Invalid(f"Flavor {flavor_id[:255]} could not be found.")
    hardware.check(services, flavor, instance.image_properties)
    local_root = bool(instance.image_ref)        # else it is a volume
    if local_root and old.root_gb and not flavor.root_gb:
        raise Invalid("Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
    if (local_root and flavor.root_gb < old.root_gb) or flavor.ephemeral_gb < old.ephemeral_gb:
        raise Invalid("Server disk was unable to be resized because: Unable to resize disk down.")
    if instance.image_ref:
        try:
            image = services.images.get(ctxt, instance.image_ref)
        except NotFound:                         # the disk is what matters, and it only ever grows
            LOG.info("instance %s is resized though its image %s is gone", instance.uuid, instance.image_ref)
            return
        images.check_fit(image, flavor, zero_disk_allowed=True)


def _accept(
    services: ApiServices, ctxt: RequestContext, instance: Instance, operation: str, flavor: Flavor, *, same_host_allowed: bool,
    auto_disk_config: bool, requested_host: str | None = None,
) -> None:
    state = ResizeState(
        migration_uuid=str(uuid_module.uuid4()), source_host=instance.host or "", new_flavor=flavor,
        same_host_allowed=same_host_allowed, requested_host=requested_host, auto_disk_config=auto_disk_config,
        departure=Departure(
            host=instance.host or "", node=instance.node or "", availability_zone=instance.availability_zone,
            vm_state=instance.vm_state, flavor=instance.flavor, auto_disk_config=instance.auto_disk_config,
            hardware=instance.hardware,
        ),
    )
    shared = services.cells.shared
    shared.write(
        reservations.reserve, state.migration_uuid, instance.uuid, cores=flavor.vcpus, ram=flavor.memory_mb,
        defaults=quotas.defaults(services.conf.quota),
    )
    try:
        task_id = services.cells.of_instance(instance.uuid).write(
            resizes.begin, instance, operation, state, caller_of(ctxt), now=services.clock.now(), pass_lock=ctxt.is_admin,
            migration_type="resize" if operation == "resize" else "migration", deadline=services.conf.conductor.allocate_timeout,
        )
    except Unavailable:                          # whether it was stored is unknown: a reconciler will see
        raise
    except Exception:
        _give_back(services, state.migration_uuid)
        raise
    notices.accepted(services, ctxt, instance)
    services.doorbell.ring(ctxt, [task_id])


def _give_back(services: ApiServices, migration_uuid: str) -> None:
    try:
        services.cells.shared.write(reservations.cancel, migration_uuid)
    except Exception:
        LOG.warning("quota of a refused resize could not be given back, a reconciler will", exc_info=True)
