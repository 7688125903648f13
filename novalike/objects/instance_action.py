"""The action log: what was done to a server, by whom, and how each step went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEvent:
    """One step of an action; `result` is Success, Error, or None while it runs."""

    event: str
    start_time: datetime
    finish_time: datetime | None = None
    result: str | None = None
    traceback: str | None = None
    host: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAction:
    """One request on one server."""

    id: int
    action: str
    instance_uuid: str
    request_id: str
    user_id: str
    project_id: str
    start_time: datetime
    updated_at: datetime
    message: str | None = None
    events: tuple[ActionEvent, ...] = ()


#: (kind of durable task, step) -> the name of its event, where Nova has one for the same work.
STEP_EVENTS = {
    ("build", "place"): "conductor_schedule_and_build_instances",
    ("build", "spawn"): "compute__do_build_and_run_instance",
    ("delete", "destroy"): "compute_shutdown_instance",
    ("rebuild", "check"): "conductor_rebuild_server",
    ("rebuild", "prepare"): "compute_prepare_rebuild",
    ("rebuild", "replace"): "compute_replace_disks",
    ("rebuild", "spawn"): "compute_rebuild_instance",
    ("snapshot", "copy"): "compute_copy_disk",
    ("snapshot", "upload"): "compute_upload_image",
    ("backup", "copy"): "compute_copy_disk",
    ("backup", "upload"): "compute_upload_image",
    ("shelve", "stop"): "compute_stop_instance",
    ("shelve", "copy"): "compute_copy_disk",
    ("shelve", "upload"): "compute_upload_image",
    ("shelve", "offload"): "compute_shelve_offload_instance",
    ("shelve_offload", "offload"): "compute_shelve_offload_instance",
    ("unshelve", "spawn"): "compute_unshelve_instance",
    ("unshelve_here", "power_on"): "compute_start_instance",
    ("change_password", "set_password"): "compute_set_admin_password",
}


def action_event(name: str) -> str:
    """Answer the name of the event in which a host does a single-host action (`stop` -> compute_stop_instance)."""
    return f"compute_{name}_instance"


def step_event(kind: str, step: str, *, on_host: bool = True) -> str:
    """Answer the name of a step's event in the action log; `on_host`: a compute host does it, else the conductor."""
    return STEP_EVENTS.get((kind, step)) or f"{'compute' if on_host else 'conductor'}_{step or kind}_instance"
