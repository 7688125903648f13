"""A client of a real Neutron, for clouds which have one. It acts as the service account, for the project it is told.

What a server's ports are to us (which of them its build made, in which order they come) is kept where the ports are, in
their binding profile, so that every call can be repeated after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as failures
from keystoneauth1.session import Session

from novalike import context
from novalike.context import RequestContext
from novalike.exception import AddressInUse, Conflict, Forbidden, Invalid, NotFound, OverQuota, Unavailable
from novalike.identity.sessions import adapter_settings
from novalike.network import neutron_memory
from novalike.network.client import BindingFailed
from novalike.network.neutron_addresses import NeutronAddresses
from novalike.network.neutron_groups import NeutronGroups
from novalike.network.neutron_memory import NIC, OURS, OWNED, TAG, Send
from novalike.network.neutron_ports import NeutronPorts, is_owned
from novalike.network.neutron_ports import nic as nic_of
from novalike.objects.instance import Instance
from novalike.objects.network_info import ON_DEMAND, RequestedNetwork, Vif
from novalike.objects.tasks import Caller

Params = Mapping[str, Any]
_TOPOLOGY = "/auto-allocated-topology"
_NO_GROUPS = "Network requires port_security_enabled and subnet associated in order to apply security groups."
_FAMILIES = {400: Invalid, 403: Forbidden, 404: NotFound, 409: Conflict}


def connect(session: Session, section: Any) -> Send:
    """Answer what sends requests to the Neutron of [neutron]; keystoneauth keeps connections and renews tokens."""
    wire = adapter.Adapter(session, **adapter_settings(section) | {"connect_retries": section.http_retries})

    def send(method: str, path: str, params: Params, body: Any) -> tuple[int, Any]:
        try:
            base = (wire.get_endpoint() or "").rstrip("/").removesuffix("/v2.0")
            if not base:
                raise Unavailable("The network service is not in the catalog.")
            response = wire.request(f"{base}/v2.0{path}", method, params=params, json=body, raise_exc=False, headers=_request_id())
        except failures.ClientException as error:
            raise Unavailable("The network service does not answer.", details=str(error)) from error
        try:
            return response.status_code, response.json() if response.content else None
        except ValueError:
            return response.status_code, None
    return send


def _request_id() -> dict[str, str]:
    """Answer the header by which Neutron's log names the request that it worked for."""
    current = context.current.get()
    return {} if current is None else {"X-OpenStack-Request-ID": current.global_request_id or current.request_id}


class NeutronClient(NeutronPorts, NeutronGroups, NeutronAddresses):
    """Implements network.client.NetworkClient. `send` is what `connect` answers (or a test's)."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def validate(
        self, ctxt: RequestContext, requested: tuple[RequestedNetwork, ...] | None, *, count: int,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[RequestedNetwork, ...]:
        """See NetworkClient. A network counts as usable when it is the project's own or shared with everybody."""
        project_id = ctxt.project_id or ""
        named = tuple(name for name in security_groups if name != "default")
        self._groups(project_id, named)
        if requested is None or requested == (ON_DEMAND,):
            only = self._only_network(project_id)
            if only is None and requested:
                self._check_on_demand(project_id)
            resolved: tuple[RequestedNetwork, ...] = requested or () if only is None else (RequestedNetwork(network_id=only["id"]),)
        else:
            resolved = tuple(self._check(ctxt, wanted, count, bool(named)) for wanted in requested)
        given = [wanted.port_id for wanted in resolved if wanted.port_id]
        if len(set(given)) < len(given):
            raise Invalid("A port is named twice.")
        self._check_quota(project_id, count * sum(1 for wanted in resolved if not wanted.port_id))
        return resolved

    def _check_on_demand(self, project_id: str) -> None:
        try:
            self._request("GET", f"{_TOPOLOGY}/{project_id}", params={"fields": "dry-run"})
        except (Conflict, NotFound, Invalid) as error:
            raise Invalid(f"Unable to automatically allocate a network for project {project_id}", details=str(error)) from error

    def allocate(
        self, caller: Caller, instance: Instance, requested: tuple[RequestedNetwork, ...], *, host: str,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[Vif, ...]:
        """See NetworkClient. Ports made before a failure stay: the next call finds them, or `free` removes them."""
        if requested == (ON_DEMAND,):
            made_now = self._request("GET", f"{_TOPOLOGY}/{caller.project_id}")["auto_allocated_topology"]
            requested = (RequestedNetwork(network_id=made_now["id"]),)
        existing = self._list("ports", device_id=instance.uuid)
        made = {nic_of(port, -1): port for port in existing if is_owned(port)}
        brought = {port["id"]: port for port in existing if not is_owned(port)}
        group_ids = self._groups(caller.project_id, security_groups) if security_groups else None
        open_networks = self._without_port_security(requested) if group_ids else set()
        found: list[dict[str, Any]] = []
        for nic, wanted in enumerate(requested):
            binding = _binding(instance, host)
            if wanted.port_id:
                found.append(self._take(instance, brought.get(wanted.port_id), wanted, nic, binding))
            elif nic in made:
                found.append(self._put("port", made[nic]["id"], binding))
            else:
                found.append(self._make(caller, wanted, binding | {"binding:profile": _profile({}, nic, wanted.tag, owned=True)}, (
                    None if wanted.network_id in open_networks else group_ids)))
        return _on_host(self._vifs(found), host)

    def _make(self, caller: Caller, wanted: RequestedNetwork, binding: dict[str, Any], group_ids: list[str] | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            **binding, "network_id": wanted.network_id, "tenant_id": caller.project_id, "admin_state_up": True,
        }
        if group_ids is not None:
            body["security_groups"] = group_ids
        if wanted.fixed_ip:
            body["fixed_ips"] = [{"ip_address": wanted.fixed_ip}]
        return dict(self._request("POST", "/ports", body={"port": body})["port"])

    def _take(
        self, instance: Instance, known: dict[str, Any] | None, wanted: RequestedNetwork, nic: int, binding: dict[str, Any],
    ) -> dict[str, Any]:
        """Bind a port which the user brought."""
        port = known or self._one("port", wanted.port_id or "")
        if port["device_id"] not in ("", instance.uuid):
            raise Conflict(f"Port {wanted.port_id} is still in use.")
        return self._put("port", port["id"], binding | {"binding:profile": _profile(port, nic, wanted.tag, owned=False)})

    def allocate_nic(
        self, caller: Caller, instance: Instance, requested: RequestedNetwork, *, nic: int, host: str,
    ) -> Vif:
        """See NetworkClient."""
        existing = self._list("ports", device_id=instance.uuid)
        found = next((port for port in existing if nic_of(port) == nic), None)
        binding = _binding(instance, host)
        if requested.port_id:
            port = self._take(instance, found, requested, nic, binding)
        elif found is not None:
            port = self._put("port", found["id"], binding)
        else:
            port = self._make(caller, requested, binding | {"binding:profile": _profile({}, nic, requested.tag, owned=True)}, None)
        return _on_host(self._vifs([port]), host)[0]

    def rebind(self, caller: Caller, instance: Instance, *, host: str) -> tuple[Vif, ...]:
        """See NetworkClient."""
        found = self._list("ports", device_id=instance.uuid)
        found.sort(key=lambda port: nic_of(port, len(found)))
        binding = {"binding:host_id": host} if not host else _binding(instance, host)
        return _on_host(self._vifs([self._put("port", port["id"], binding) for port in found]), host)

    def free(self, caller: Caller, instance_uuid: str) -> None:
        """See NetworkClient."""
        self._free(self._list("ports", device_id=instance_uuid) if instance_uuid else [])

    def free_port(self, caller: Caller, instance_uuid: str, port_id: str) -> None:
        """See NetworkClient."""
        if instance_uuid:
            self._free([port for port in self._list("ports", device_id=instance_uuid) if port["id"] == port_id])

    def _free(self, ports: Iterable[dict[str, Any]]) -> None:
        for port in ports:
            try:
                if is_owned(port):
                    self._request("DELETE", f"/ports/{port['id']}")
                else:
                    kept = {key: value for key, value in (port.get("binding:profile") or {}).items() if key not in OURS}
                    self._put("port", port["id"], {"device_id": "", "device_owner": "", "binding:host_id": "", "binding:profile": kept})
                    for path in neutron_memory.stale_tags(port):
                        self._request("DELETE", path)
            except NotFound:
                continue                                     # somebody else deleted it: fine as well

    # ---- what may be used

    def _only_network(self, project_id: str) -> dict[str, Any] | None:
        own = self._list("networks", tenant_id=project_id)
        shared = self._list("networks", shared="true")
        candidates = {n["id"]: n for n in (*own, *shared) if n["subnets"] and n["admin_state_up"] and not n.get("router:external")}
        if len(candidates) > 1:
            raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
        return next(iter(candidates.values()), None)

    def _without_port_security(self, requested: tuple[RequestedNetwork, ...]) -> set[str]:
        ids = sorted({wanted.network_id for wanted in requested if wanted.network_id and not wanted.port_id})
        found = self._list("networks", id=ids) if ids else []
        return {network["id"] for network in found if network.get("port_security_enabled") is False}

    def _check(self, ctxt: RequestContext, wanted: RequestedNetwork, count: int, groups: bool) -> RequestedNetwork:
        if wanted.port_id:
            return self._check_port(ctxt, wanted, count)
        if not wanted.network_id:
            raise Invalid("A requested network names neither a network nor a port.")
        network = self._one("network", wanted.network_id)
        own = ctxt.is_admin or network["tenant_id"] == ctxt.project_id
        if not own and not network["shared"] and not network.get("router:external"):
            raise NotFound(f"Network {wanted.network_id} could not be found.")
        if network.get("router:external") and not own:
            raise Forbidden(f"It is not allowed to create an interface on external network {network['id']}")
        if groups and network.get("port_security_enabled") is False:
            raise Invalid(_NO_GROUPS)
        if not network["subnets"]:
            raise Invalid(f"Network {network['id']} requires a subnet in order to boot instances on.")
        if wanted.fixed_ip:
            if count > 1:
                raise Invalid("Invalid fixed IP Address: a fixed address can be given to one server only, and several are asked for.")
            if self._list("ports", network_id=network["id"], fixed_ips=f"ip_address={wanted.fixed_ip}"):
                raise AddressInUse(f"Fixed IP address {wanted.fixed_ip} is already in use.")
        return RequestedNetwork(network_id=network["id"], fixed_ip=wanted.fixed_ip, tag=wanted.tag)

    def _check_port(self, ctxt: RequestContext, wanted: RequestedNetwork, count: int) -> RequestedNetwork:
        port = self._one("port", wanted.port_id or "")
        if port["tenant_id"] != ctxt.project_id and not ctxt.is_admin:
            raise NotFound(f"Port {wanted.port_id} could not be found.")
        if count > 1:
            raise Invalid("Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.")
        if port["device_id"]:
            raise Conflict(f"Port {port['id']} is still in use.")
        if not port["fixed_ips"]:
            raise Invalid(f"Port {port['id']} requires a FixedIP in order to be used.")
        return RequestedNetwork(network_id=port["network_id"], port_id=port["id"], tag=wanted.tag)

    def _check_quota(self, project_id: str, new: int) -> None:
        if not new:
            return
        limit = int(self._request("GET", f"/quotas/{project_id}")["quota"].get("port", -1))
        if limit >= 0 and len(self._list("ports", tenant_id=project_id, fields="id")) + new > limit:
            raise OverQuota("Maximum number of ports exceeded", overs=("port",))

    def _groups(self, project_id: str, wanted: tuple[str, ...]) -> list[str]:
        """Answer ids of groups by name or id. Raises NotFound, Conflict."""
        known = self._list("security-groups", tenant_id=project_id) if wanted else []
        found = []
        for name in dict.fromkeys(wanted):
            matching = [g["id"] for g in known if g["id"] == name] or [g["id"] for g in known if g["name"] == name]
            if not matching:
                raise NotFound(f"Security group {name} not found.")
            if len(matching) > 1:
                raise Conflict(f"Multiple security_group matches found for name '{name}', use an ID to be more specific.")
            found.append(matching[0])
        return found

    # ---- requests

    def _list(self, collection: str, **filters: Any) -> list[dict[str, Any]]:
        return list(self._request("GET", f"/{collection}", params=filters)[collection.replace("-", "_")])

    def _one(self, kind: str, key: str) -> dict[str, Any]:
        if not key or "/" in key:
            raise NotFound(f"{kind.capitalize()} {key} could not be found.")
        return dict(self._request("GET", f"/{kind}s/{key}")[kind])

    def _put(self, kind: str, key: str, changes: dict[str, Any]) -> dict[str, Any]:
        return dict(self._request("PUT", f"/{kind}s/{key}", body={kind: changes})[kind])

    def _request(self, method: str, path: str, *, params: Params | None = None, body: Any = None) -> Any:
        status, answer = self._send(method, path, params or {}, body)
        if status < 400:
            return answer
        fault = (answer or {}).get("NeutronError", {}) if isinstance(answer, dict) else {}
        kind, message = (fault.get("type", ""), fault.get("message", "")) if isinstance(fault, dict) else ("", str(fault))
        details = f"{method} {path}: {status} {kind} {message}"
        if kind == "OverQuota":
            raise OverQuota(message, details=details)
        family = _FAMILIES.get(status)
        if family is None:
            raise Unavailable("The network service failed.", details=details)
        if kind == "PolicyNotAuthorized":
            # Our account may do everything that we ask for. A Neutron which just starts says so before it has read its rules.
            raise Unavailable("The network service does not let novalike's account do this.", details=details)
        raise family(message or "The network service refused the request.", details=details)


def _on_host(vifs: tuple[Vif, ...], host: str) -> tuple[Vif, ...]:
    """Answer the ports if each has a place on the host. Raises BindingFailed: no mechanism driver took one, or no agent lives there."""
    for vif in vifs:
        if host and vif.vif_type in ("binding_failed", "unbound"):
            raise BindingFailed(f"Binding failed for port {vif.port_id}, please check neutron logs for more information.")
    return vifs


def _binding(instance: Instance, host: str) -> dict[str, Any]:
    return {
        "device_id": instance.uuid, "device_owner": f"compute:{instance.availability_zone or 'nova'}", "binding:host_id": host,
    }


def _profile(port: dict[str, Any], nic: int, tag: str | None, *, owned: bool) -> dict[str, Any]:
    profile = {key: value for key, value in (port.get("binding:profile") or {}).items() if key not in OURS} | {NIC: nic}
    if owned:
        profile[OWNED] = True
    return profile | {TAG: tag} if tag else profile
