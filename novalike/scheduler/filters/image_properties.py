"""Can the host run what is in the image?"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_ARCHITECTURES = {
    "amd64": "x86_64", "x86-64": "x86_64", "i386": "i686", "i486": "i686", "i586": "i686", "x86": "i686", "x86_32": "i686",
    "arm64": "aarch64",
}
_HYPERVISORS = {"xapi": "xen"}
_VM_MODES = {"pv": "xen", "hv": "hvm", "baremetal": "hvm"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, ">": operator.gt,
}
_PREDICATE = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(\d+(?:\.\d+)*)\s*")


class ImagePropertiesFilter(Filter):
    """Passes hosts which support the image's architecture, hypervisor type, vm mode and hypervisor version.

    Properties hw_architecture, img_hv_type, hw_vm_mode and img_hv_requested_version, or their old names architecture,
    hypervisor_type, vm_mode and hypervisor_version_requires.
    """

    asked_of_images = True

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._default_architecture = options.image_properties_default_architecture

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which supports none of the wanted combinations, or has another version."""
        properties = spec.image_properties
        architecture = _wanted(properties, "hw_architecture", "architecture") or self._default_architecture
        hypervisor = _wanted(properties, "img_hv_type", "hypervisor_type")
        mode = _wanted(properties, "hw_vm_mode", "vm_mode")
        if architecture or hypervisor or mode:
            named = [text for text in (architecture, hypervisor, mode) if text]
            wanted = (
                _plain(architecture, _ARCHITECTURES), _plain(hypervisor, _HYPERVISORS), _plain(mode, _VM_MODES),
            )
            if not any(_matches(wanted, supported) for supported in host.inventory.supported):
                return f"the image needs {', '.join(named)}"
        version = _wanted(properties, "img_hv_requested_version", "hypervisor_version_requires")
        if version and not _version_fits(host.inventory.hypervisor_version, version):
            return f"the image needs hypervisor version {version}"
        return None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(_machine).rejected(lambda host: self.reject(spec, host))


def _machine(host: HostState) -> Hashable:
    return host.inventory.supported, host.inventory.hypervisor_version


def _wanted(properties: Mapping[str, str], name: str, old_name: str) -> str | None:
    return properties.get(name) or properties.get(old_name)


def _plain(text: str | None, names: Mapping[str, str]) -> str | None:
    if not text:
        return None
    lowered = text.lower()
    return names.get(lowered, lowered)


def _matches(wanted: tuple[str | None, ...], supported: tuple[str, str, str]) -> bool:
    has = (_plain(supported[0], _ARCHITECTURES), _plain(supported[1], _HYPERVISORS), _plain(supported[2], _VM_MODES))
    return all(one is None or one == other for one, other in zip(wanted, has, strict=True))


def _version_fits(version: int, requirement: str) -> bool:
    """Compare a version such as 7002000 (7.2.0) with one such as ">=6.0, <8.0". What cannot be read fits nothing."""
    has = (version // 1_000_000, version // 1000 % 1000, version % 1000)
    for part in requirement.split(","):
        match = _PREDICATE.fullmatch(part)
        if match is None:
            return False
        numbers = [int(number) for number in match[2].split(".")]
        if not _COMPARE[match[1]](has, tuple([*numbers, 0, 0, 0][:3])):
            return False
    return True
