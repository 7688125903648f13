"""From a query string to what a list of servers is narrowed to and sorted by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from oslo_utils import strutils

from novalike.api.http.application import Request
from novalike.api.openstack import paging, patterns
from novalike.db.instance_lists import SORT_KEYS, Filters, Order
from novalike.exception import Forbidden, Invalid
from novalike.objects import states

#: Filters of members; all others are dropped without a word, as Nova does.
_FOR_MEMBERS = frozenset({
    "reservation_id", "name", "status", "image", "flavor", "ip", "changes-since", "all_tenants", "tags", "tags-any", "not-tags",
    "not-tags-any", "changes-before", "locked",
})
_FOR_MEMBERS_LATER = {
    **dict.fromkeys(("ip6",), (2, 5)),
    **dict.fromkeys((
        "availability_zone", "config_drive", "key_name", "created_at", "launched_at", "terminated_at", "power_state", "task_state",
        "vm_state", "progress", "user_id",
    ), (2, 83)),
    "hostname": (2, 90),
}
#: Parameter -> column which must be equal.
_EQUAL = {
    "reservation_id": "reservation_id", "image": "image_ref", "image_ref": "image_ref", "flavor": "flavor_id", "uuid": "uuid",
    "user_id": "user_id", "host": "host", "vm_state": "vm_state", "locked_by": "locked_by", "access_ip_v4": "access_ip_v4",
    "access_ip_v6": "access_ip_v6",
}
_NUMBERS = {"launch_index": "launch_index", "power_state": "power_state", "progress": "progress"}
_TIMES = ("created_at", "launched_at", "terminated_at")
_PATTERNS = {
    "name": "display_name", "display_name": "display_name", "hostname": "hostname", "node": "node",
    "availability_zone": "availability_zone", "key_name": "key_name", "task_state": "task_state",
}
_DOCUMENT = {
    "description": "description", "display_description": "description", "kernel_id": "kernel_id", "ramdisk_id": "ramdisk_id",
    "root_device_name": "root_device_name",
}
_TAGS = {"tags": "tags", "tags-any": "tags_any", "not-tags": "not_tags", "not-tags-any": "not_tags_any"}


def read(request: Request, *, all_tenants_rule: str) -> Filters | None:
    """Answer the filters of a request; None when nothing can match. Raises Invalid and Forbidden."""
    admin = request.allowed("os_compute_api:servers:allow_all_filters")
    given = {name: values for name, values in request.params_given.items() if admin or _is_open(name, request)}
    found: dict[str, Any] = {"project_id": _project(request, given, all_tenants_rule)}
    found["equal"] = tuple((column, given[name][-1]) for name, column in _EQUAL.items() if name in given)
    found["equal"] += tuple((column, _number(name, given[name][-1])) for name, column in _NUMBERS.items() if name in given)
    found["equal"] += tuple((name, time(name, given[name][-1])) for name in _TIMES if name in given)
    if "config_drive" in given:
        found["equal"] += (("config_drive", int(_truth("config_drive", given["config_drive"][-1]))),)
    found["patterns"] = tuple(
        (column, patterns.check(name, given[name][-1])) for name, column in _PATTERNS.items() if given.get(name, [""])[-1]
    )
    found["document"] = tuple((field, given[name][-1]) for name, field in _DOCUMENT.items() if name in given)
    found["addresses"] = tuple(
        (version, patterns.check(name, given[name][-1])) for name, version in (("ip", 4), ("ip6", 6)) if given.get(name, [""])[-1]
    )
    for name, field in _TAGS.items():
        if name in given:
            found[field] = tuple(tag for tag in given[name][-1].split(",") if tag)
    if "locked" in given:
        found["locked"] = _truth("locked", given["locked"][-1])
    if "soft_deleted" in given:
        found["soft_deleted"] = _truth("soft_deleted", given["soft_deleted"][-1])
    if "metadata" in given:
        found["metadata"] = _metadata(given["metadata"][-1])
    _read_times(given, found)
    if not _read_status(request, given, found):
        return None
    return Filters(**found)


def order(request: Request, maximum: int) -> Order:
    """Answer sorting and paging of a request. Raises Invalid."""
    names = request.params_given.get("sort_key", [])
    directions = request.params_given.get("sort_dir", [])
    if len(directions) > max(len(names), 1):
        raise Invalid("Sort direction size exceeds sort key size")
    directions = [*directions, *[directions[0] if directions else "desc"] * (len(names) - len(directions))] or ["desc"]
    hidden = set() if request.context.is_admin else {"host", "node"}
    keys = tuple(
        (name, direction == "desc") for name, direction in zip(names or ["created_at"], directions, strict=False)
        if name in SORT_KEYS and name not in hidden
    )
    return Order(keys=keys, limit=paging.limit(request, maximum), marker=request.param("marker"))


def time(name: str, text: str) -> datetime:
    """Read a time in ISO 8601 as naive UTC. Raises Invalid, naming the parameter."""
    try:
        # A plus sign in a query string arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError) as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text}. '{text}' is not a 'date-time'") from error


def span(request: Request) -> tuple[datetime | None, datetime | None]:
    """Answer from when to when changes are asked for; None: no limit. Raises Invalid, naming the parameter."""
    since, before = (request.param(name) for name in ("changes-since", "changes-before"))
    return _ordered(time("changes-since", since) if since is not None else None, time("changes-before", before) if before is not None else None)


def _ordered(since: datetime | None, before: datetime | None) -> tuple[datetime | None, datetime | None]:
    if since and before and since > before:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    return since, before


def _is_open(name: str, request: Request) -> bool:
    return name in _FOR_MEMBERS or (name in _FOR_MEMBERS_LATER and request.version >= _FOR_MEMBERS_LATER[name])


def _project(request: Request, given: dict[str, list[str]], rule: str) -> str | None:
    text = given.get("all_tenants", ["no"])[-1]
    if text == "" or _truth("all_tenants", text):
        request.authorize(rule)
        return given.get("tenant_id", given.get("project_id", [None]))[-1]
    return request.context.project_id or ""      # without all_tenants Nova ignores which project is asked for, since bug 1185290


def _truth(name: str, text: str) -> bool:
    try:
        return strutils.bool_from_string(text, strict=True)
    except ValueError as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text[:255]}. It is not a boolean.") from error


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text[:255]}. It is not a whole number.")
    return int(text)


def _metadata(text: str) -> tuple[tuple[str, str], ...]:
    try:
        wanted = orjson.loads(text)
    except ValueError as error:
        raise Invalid("Invalid input for query parameters metadata. It is not JSON.") from error
    if not isinstance(wanted, dict):
        raise Invalid("Invalid input for query parameters metadata. It is not an object.")
    return tuple((str(key), str(value)) for key, value in wanted.items())


def _read_times(given: dict[str, list[str]], found: dict[str, Any]) -> None:
    if "changes-since" in given:
        found["changed_since"] = time("changes-since", given["changes-since"][-1])
    if "changes-before" in given:
        found["changed_before"] = time("changes-before", given["changes-before"][-1])
    since, before = _ordered(found.get("changed_since"), found.get("changed_before"))
    if "deleted" in given:
        found["deleted"] = _truth("deleted", given["deleted"][-1])
    elif since or before:
        found["deleted"] = None                  # who follows changes wants to see what went away
        found["soft_deleted"] = True


def _read_status(request: Request, given: dict[str, list[str]], found: dict[str, Any]) -> bool:
    """Set `states`; False when no server can have the status."""
    texts = [text for text in given.get("status", []) if text]
    if not texts:
        return True
    rows: list[Any] = []
    for text in texts:
        selected = states.states_of_status(text)
        if not selected and request.version >= (2, 38):
            raise Invalid(f"Invalid status value '{text[:255]}'.")
        rows += selected
    if any(vm_state == states.VmState.DELETED for vm_state, _, _ in rows):
        if not request.context.is_admin:
            raise Forbidden("Only administrators may list deleted instances")
        found.setdefault("deleted", True)
    found["states"] = rows
    return bool(rows)
