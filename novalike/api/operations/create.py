"""Create servers: check all that can be checked now, take quota, and leave the rest to a durable task per server."""

from __future__ import annotations

import base64
import logging
import uuid as uuid_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.api.http.schema import is_uuid
from novalike.api.operations import disks, hardware, images, names, notices, once, quotas, server_groups, zones
from novalike.api.operations.disks import RequestedDisk
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import (
    action_log,
    block_devices,
    flavors,
    idempotency,
    instances,
    keypairs,
    keys,
    mappings,
    tasks,
)
from novalike.db import quotas as quota_rows
from novalike.db import server_groups as groups
from novalike.db.idempotency import Key
from novalike.exception import Forbidden, Invalid, NotBuilt, NotFound, OverQuota, Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.objects.image import Image
from novalike.objects.instance import Instance
from novalike.objects.keypair import Keypair
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.quota import UNLIMITED
from novalike.objects.secret import Secret
from novalike.objects.server_group import ServerGroup
from novalike.objects.states import TaskState, VmState
from novalike.objects.tasks import BuildState, Caller
from novalike.vault import Vault

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateServers:
    """What a user asks for, in no dialect; rights to ask for it (forced hosts ...) were checked before.

    `networks` None is any (or none, where the project has none), (ON_DEMAND,) is "auto", () is none. `files` are (path, base64 content). `admin_password` None: one is made.
    """

    name: str
    flavor_id: str
    image_id: str
    networks: tuple[RequestedNetwork, ...] | None = None
    minimum: int = 1
    maximum: int = 1
    key_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    security_groups: tuple[str, ...] = ()
    availability_zone: str | None = None
    requested_host: str | None = None
    requested_node: str | None = None
    hostname: str | None = None
    description: str | None = None
    user_data: str | None = None
    files: tuple[tuple[str, str], ...] = ()
    config_drive: bool = False
    disks: tuple[RequestedDisk, ...] = ()
    admin_password: Secret | None = None
    tags: tuple[str, ...] = ()
    hints: Mapping[str, object] = field(default_factory=dict)
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    auto_disk_config: bool | None = None
    trusted_certificates: tuple[str, ...] | None = None
    zero_disk_allowed: bool = False
    key: Key | None = None                       # sent again with this key, the request is answered again


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What was accepted: the servers (their builds run now), and the password to tell their user once."""

    instances: tuple[Instance, ...]
    reservation_id: str
    admin_password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """What the names in a request stand for."""

    flavor: Flavor
    image: Image
    keypair: Keypair | None
    networks: tuple[RequestedNetwork, ...]
    group_names: tuple[str, ...]                 # of security groups, which may be asked for by id
    destination: zones.Destination
    block_devices: tuple[BlockDevice, ...]
    group: ServerGroup | None
    limits: Mapping[str, int]                    # of the user in the project


class Creator:
    """Accepts new servers for one API process."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._vault: Vault | None = None

    def create(self, ctxt: RequestContext, request: CreateServers) -> Created:
        """Accept a request; when this returns, every server is stored with the task that builds it.

        Raises Invalid (what is wrong is named), OverQuota, Forbidden, Conflict (ports in use), NotBuilt.
        """
        if ctxt.project_id is None or ctxt.user_id is None:
            raise Forbidden("A project scope is required.")
        services = self._services
        made = once.servers_of(services, request.key) if request.key is not None else None
        password = request.admin_password or self._password(request)
        if made is not None:
            return Created(instances=made[0], reservation_id=made[1], admin_password=password)
        group = server_groups.hinted(services, ctxt, request.hints)
        cell = group.cell if group is not None and group.cell else services.cells.for_new_instance()
        resolved = self._resolve(ctxt, request, cell, group)
        state = self._state(request, resolved, password)
        uuids, cell, reservation = self._reserve(ctxt, request, resolved, cell)
        new = [
            self._instance(ctxt, request, resolved, uuid, index=index, count=len(uuids), reservation=reservation)
            for index, uuid in enumerate(uuids)
        ]
        stored, task_ids = self._store(ctxt, cell, new, state, repeatable=request.key is not None)
        notices.created(services, ctxt, stored)
        services.doorbell.ring(ctxt, task_ids)
        everything = tuple(stored) if len(stored) == len(uuids) else once.load(services, uuids)
        return Created(instances=everything, reservation_id=reservation, admin_password=password)

    def _password(self, request: CreateServers) -> Secret:
        if request.key is not None:
            return once.password(self._services, request.key)
        return Secret(names.password(self._services.conf.password_length))

    def _resolve(self, ctxt: RequestContext, request: CreateServers, cell: str, group: ServerGroup | None) -> _Resolved:
        services = self._services
        if request.trusted_certificates is not None:
            raise NotBuilt("Image certificate validation (trusted_image_certificates) is not built yet.")
        if request.maximum > services.conf.max_servers_per_request:
            raise Invalid(f"max_count must be at most {services.conf.max_servers_per_request}")
        with services.cells.shared.read() as session:
            flavor = _flavor(session, ctxt, request.flavor_id)
            keypair = keypair_of(session, ctxt, request.key_name)
            limits = quota_rows.limits(session, ctxt.project_id or "", ctxt.user_id, quotas.defaults(services.conf.quota))
        _check_limits(request, limits)
        disks.refuse_volumes(request.disks)
        image = images.bootable(services.images, ctxt, request.image_id)
        images.check_fit(image, flavor, zero_disk_allowed=request.zero_disk_allowed)
        hardware.check(services, flavor, image.properties)
        destination = zones.parse(request.availability_zone or services.conf.default_schedule_zone)
        zones.check(services, cell, destination)
        zones.check_host(services, cell, request.requested_host, request.requested_node)
        local_disks = disks.complete(request.disks, image.id, flavor, most_local=services.conf.max_local_block_devices)
        try:
            networks = services.networks.validate(
                ctxt, request.networks, count=request.maximum, security_groups=request.security_groups,
            )
        except NotFound as error:                # of something in the body, not of the resource: Nova says 400
            raise Invalid(str(error)) from error
        return _Resolved(
            flavor=flavor, image=image, group_names=_group_names(services, ctxt, request.security_groups), keypair=keypair, networks=networks, destination=destination, block_devices=local_disks,
            group=group, limits=limits,
        )

    def _reserve(self, ctxt: RequestContext, request: CreateServers, resolved: _Resolved, cell: str) -> tuple[list[str], str, str]:
        """Take quota and places in the server group, in one transaction; answer the servers which may be: uuids, cell, reservation."""
        project_id, user_id, group = ctxt.project_id or "", ctxt.user_id or "", resolved.group
        wanted, reservation = [str(uuid_module.uuid4()) for _ in range(request.maximum)], names.reservation_id()

        def reserve(session: Session) -> tuple[list[str], str, str]:
            if request.key is not None:
                quota_rows.lock(session, f"project:{project_id}")        # a retry at the same moment waits here
                before = once.resumed(session, request.key)
                if before is not None:
                    return before
            uuids = mappings.reserve(
                session, wanted, cell=cell, project_id=project_id, user_id=user_id, cores=resolved.flavor.vcpus,
                ram=resolved.flavor.memory_mb, defaults=quotas.defaults(self._services.conf.quota), minimum=request.minimum,
            )
            if group is not None:
                groups.join(session, group, uuids, user_id=user_id, limit=resolved.limits["server_group_members"])
            if request.key is not None:
                idempotency.remember(session, request.key, {"uuids": uuids, "reservation_id": reservation})
            return uuids, cell, reservation
        try:
            return self._services.cells.shared.write(reserve)
        except NotFound as error:                # the group was deleted meanwhile: of something in the body, so 400
            raise Invalid(str(error)) from error

    def _state(self, request: CreateServers, resolved: _Resolved, password: Secret) -> BuildState:
        if self._vault is None:
            self._vault = Vault(keys.key(self._services.cells.shared, Vault.NAME))
        return BuildState(
            requested_networks=resolved.networks, block_devices=resolved.block_devices, security_groups=request.security_groups,
            forced_host=resolved.destination.forced_host, forced_node=resolved.destination.forced_node,
            requested_host=request.requested_host, requested_node=request.requested_node,
            image_min_ram=resolved.image.min_ram, encrypted_password=self._vault.seal(password), files=request.files,
        )

    def _instance(
        self, ctxt: RequestContext, request: CreateServers, resolved: _Resolved, uuid: str, *, index: int, count: int,
        reservation: str,
    ) -> Instance:
        image, flavor, keypair = resolved.image, resolved.flavor, resolved.keypair
        name = names.numbered(request.name, index, count)
        now = self._services.clock.now()
        config_drive = (
            request.config_drive or self._services.conf.force_config_drive
            or image.properties.get("img_config_drive") == "mandatory"
        )
        return Instance(
            id=0, uuid=uuid, project_id=ctxt.project_id or "", user_id=ctxt.user_id or "", display_name=name,
            hostname=names.numbered(request.hostname, index, count) if request.hostname else names.hostname(name, uuid),
            vm_state=VmState.BUILDING, task_state=TaskState.SCHEDULING, requested_zone=resolved.destination.zone, flavor=flavor,
            image_ref=image.id, image_properties=dict(image.properties), image_name=image.name,
            kernel_id=image.properties.get("kernel_id") or "", ramdisk_id=image.properties.get("ramdisk_id") or "",
            system_metadata=images.remembered(ctxt, image, flavor),
            key_name=keypair.name if keypair else None, key_data=keypair.public_key if keypair else None,
            key_type=keypair.type if keypair else "ssh", reservation_id=reservation, launch_index=index,
            description=request.description, metadata=dict(request.metadata), tags=tuple(dict.fromkeys(request.tags)),
            user_data=request.user_data, config_drive=config_drive,
            auto_disk_config=_auto_disk_config(request, image), access_ip_v4=request.access_ip_v4,
            access_ip_v6=request.access_ip_v6, root_gb=flavor.root_gb, security_groups=resolved.group_names or ("default",),
            scheduler_hints=dict(request.hints), server_group=resolved.group.uuid if resolved.group else None, os_type=image.properties.get("os_type"),
            architecture=image.properties.get("hw_architecture") or image.properties.get("architecture"),
            created_at=now, updated_at=now,
        )

    def _store(
        self, ctxt: RequestContext, cell: str, new: list[Instance], state: BuildState, *, repeatable: bool,
    ) -> tuple[list[Instance], list[str]]:
        """Store the servers with their tasks; answer both. When the request is `repeatable` another one may have stored some."""
        services = self._services
        now = services.clock.now()
        caller = caller_of(ctxt)

        def accept(session: Session) -> tuple[list[Instance], list[str]]:
            present = instances.known(session, [instance.uuid for instance in new]) if repeatable else set()
            stored = instances.create(session, [instance for instance in new if instance.uuid not in present])
            ids = []
            for instance in stored:
                ids.append(tasks.add(
                    session, kind="build", instance_uuid=instance.uuid, epoch=instance.epoch, step="place", state=state,
                    caller=caller, now=now, deadline=services.conf.conductor.allocate_timeout * 1000,
                ))
                block_devices.create(session, instance.uuid, _own(state.block_devices), now=now)
                action_log.start(session, "create", instance.uuid, caller, now)
            return stored, ids
        try:
            return services.cells.cell(cell).write(accept)
        except IntegrityError:                   # a retry was faster in this very moment
            if not repeatable:
                raise
            return services.cells.cell(cell).write(accept)
        except Unavailable:                      # whether it was stored is unknown: a reconciler will see
            raise
        except Exception:
            if repeatable:                       # another request may go on with these: a reconciler waits for it
                raise
            _quietly(lambda: services.cells.shared.write(mappings.forget, [instance.uuid for instance in new]))
            raise


def caller_of(ctxt: RequestContext) -> Caller:
    """Answer who asks, in the form that is stored with the work."""
    return Caller(user_id=ctxt.user_id or "", project_id=ctxt.project_id or "", request_id=ctxt.request_id)


def _own(devices: tuple[BlockDevice, ...]) -> tuple[BlockDevice, ...]:
    """Answer the disks for one of several servers: the same, under ids of their own."""
    return tuple(replace(device, uuid=str(uuid_module.uuid4())) for device in devices)


def _flavor(session: Session, ctxt: RequestContext, flavor_id: str) -> Flavor:
    try:
        flavor = flavors.get_by_flavorid(session, flavor_id, ctxt.project_id, ctxt.is_admin)
    except NotFound as error:
        raise Invalid(f"Flavor {flavor_id[:255]} could not be found.") from error
    if flavor.disabled:
        raise Invalid(f"Flavor {flavor_id[:255]} could not be found.")
    return flavor


def keypair_of(session: Session, ctxt: RequestContext, name: str | None) -> Keypair | None:
    """Answer the caller's keypair of this name. Raises Invalid when there is none."""
    if name is None:
        return None
    try:
        return keypairs.get(session, ctxt.user_id or "", name)
    except NotFound as error:
        raise Invalid("Invalid key_name provided.") from error


def _check_limits(request: CreateServers, limits: Mapping[str, int]) -> None:
    check_metadata_count(len(request.metadata), limits)
    check_files(request.files, limits)


def check_files(files: tuple[tuple[str, str], ...], limits: Mapping[str, int]) -> None:
    """Raise OverQuota when so many, or such, files may not be put into a server."""
    if _above(len(files), limits["injected_files"]):
        raise OverQuota("Personality file limit exceeded.", overs=("injected_files",))
    if any(_above(len(path), limits["injected_file_path_bytes"]) for path, _ in files):
        raise OverQuota("Personality file path exceeds maximum length.", overs=("injected_file_path_bytes",))
    if any(_above(len(base64.b64decode(content)), limits["injected_file_content_bytes"]) for _, content in files):
        raise OverQuota("Personality file content exceeds maximum length.", overs=("injected_file_content_bytes",))


def check_metadata_count(count: int, limits: Mapping[str, int]) -> None:
    """Raise OverQuota when a server may not have so many metadata items."""
    if _above(count, limits["metadata_items"]):
        raise OverQuota(f"Maximum number of metadata items exceeds {limits['metadata_items']}", overs=("metadata_items",))


def _above(count: int, limit: int) -> bool:
    return limit != UNLIMITED and count > limit


def _auto_disk_config(request: CreateServers, image: Image) -> bool:
    said = image.properties.get("auto_disk_config")
    offered = said is not None and said.lower() in {"true", "1", "yes", "on"}
    if request.auto_disk_config is None:
        return offered
    if request.auto_disk_config and said is not None and not offered:
        raise Invalid(f"Image {image.id} does not support OS-DCF:diskConfig AUTO.")
    return request.auto_disk_config


def _group_names(services: ApiServices, ctxt: RequestContext, wanted: tuple[str, ...]) -> tuple[str, ...]:
    ids = [group for group in wanted if is_uuid(group)]
    known = services.networks.groups_by_id(caller_of(ctxt), ids) if ids else {}
    return tuple(dict.fromkeys(known[group].name if group in known else group for group in wanted))


def _quietly(clean: Callable[[], object]) -> None:
    try:
        clean()
    except Exception:
        LOG.warning("quota of a failed create could not be given back, a reconciler will", exc_info=True)
