"""What is made in a real Nova before its database is dumped (nova_dump.py): one server of each sort that an import has to know."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from devstack.client import Client

KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpb3oJ4q6v2VQk0b2VZ9b2v1Hn0m0uLZfGm0m8c1i1B someone@example"
)
_PATIENCE = 120.0


class Story:
    """Makes it all through the APIs, as the administrator and as the user demo."""

    def __init__(self, admin: Client, demo: Client, hosts: list[str]) -> None:
        self._admin, self._demo, self._hosts = admin, demo, hosts
        self.project = self._admin.ask("GET", "identity", "/projects?name=demo")["projects"][0]["id"]
        self.user = self._admin.ask("GET", "identity", "/users?name=demo")["users"][0]["id"]
        self.servers: dict[str, str] = {}
        self._image = self._network = self._outside = ""

    def tell(self) -> None:
        """Make everything; takes about a minute."""
        self._neighbours()
        self._flavors()
        self._keys_aggregates_quotas()
        self._plain()
        self._grouped()
        self._states()
        self._moved()
        self._gone()
        self._admin.ask("PUT", "compute", f"/os-services/{self._compute(1)}", {"status": "disabled", "disabled_reason": "new disks"})

    # -- neighbours

    def _neighbours(self) -> None:
        image = self._admin.ask("POST", "image", "/v2/images", {
            "name": "small", "disk_format": "raw", "container_format": "bare", "visibility": "public", "min_ram": 64,
            "hw_disk_bus": "virtio", "hw_vif_model": "virtio", "os_distro": "alpine",
        })
        self._admin.upload(f"/v2/images/{image['id']}/file", b"\0" * 1024 * 1024)
        self._image = image["id"]
        ask = self._admin.ask
        outside = ask("POST", "network", "/v2.0/networks", {"network": {
            "name": "outside", "router:external": True, "provider:network_type": "flat", "provider:physical_network": "wire",
        }})["network"]
        ask("POST", "network", "/v2.0/subnets", {"subnet": {
            "network_id": outside["id"], "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": False,
        }})
        net = ask("POST", "network", "/v2.0/networks", {"network": {"name": "private", "tenant_id": self.project}})["network"]
        subnets = [ask("POST", "network", "/v2.0/subnets", {"subnet": {
            "network_id": net["id"], "tenant_id": self.project, "name": name, "ip_version": version, "cidr": cidr, **more,
        }})["subnet"] for name, version, cidr, more in (
            ("four", 4, "192.0.2.0/24", {"dns_nameservers": ["192.0.2.2"], "host_routes": [{"destination": "203.0.113.0/24", "nexthop": "192.0.2.3"}]}),
            ("six", 6, "2001:db8::/64", {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}),
        )]
        router = ask("POST", "network", "/v2.0/routers", {"router": {
            "name": "gate", "tenant_id": self.project, "external_gateway_info": {"network_id": outside["id"]},
        }})["router"]
        ask("PUT", "network", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnets[0]["id"]})
        self._network, self._outside = net["id"], outside["id"]

    # -- what no server hangs on

    def _flavors(self) -> None:
        def make(**values: Any) -> str:
            return str(self._admin.ask("POST", "compute", "/flavors", {"flavor": values})["flavor"]["id"])

        make(id="1", name="tiny", vcpus=1, ram=128, disk=1)
        make(id="2", name="larger", vcpus=2, ram=256, disk=2, description="twice as much")
        make(id="3", name="scratch", vcpus=1, ram=128, disk=1, swap=512, **{"OS-FLV-EXT-DATA:ephemeral": 3})
        make(id="4", name="huge", vcpus=500, ram=128, disk=1)
        hidden = make(id="auto", name="hidden", vcpus=1, ram=128, disk=1, **{"os-flavor-access:is_public": False})
        self._admin.ask("POST", "compute", f"/flavors/{hidden}/action", {"addTenantAccess": {"tenant": self.project}})
        self._admin.ask("POST", "compute", "/flavors/2/os-extra_specs", {"extra_specs": {"hw:watchdog_action": "reset", "quota:cpu_shares": "2048"}})
        make(id="9", name="vanished", vcpus=1, ram=64, disk=1)

    def _keys_aggregates_quotas(self) -> None:
        self._demo.ask("POST", "compute", "/os-keypairs", {"keypair": {"name": "laptop", "type": "ssh", "public_key": KEY}})
        self._admin.ask("POST", "compute", "/os-keypairs", {"keypair": {"name": "office", "type": "ssh", "public_key": KEY}})
        for name, zone, hosts in (("fast", "az1", self._hosts[:1]), ("all", None, self._hosts)):
            made = self._admin.ask("POST", "compute", "/os-aggregates", {"aggregate": {"name": name, "availability_zone": zone}})["aggregate"]
            for host in hosts:
                self._admin.ask("POST", "compute", f"/os-aggregates/{made['id']}/action", {"add_host": {"host": host}})
            self._admin.ask("POST", "compute", f"/os-aggregates/{made['id']}/action", {"set_metadata": {"metadata": {"ssd": "true", "rack": name}}})
        quotas = f"/os-quota-sets/{self.project}"
        self._admin.ask("PUT", "compute", quotas, {"quota_set": {"cores": 64, "instances": 40, "key_pairs": 7}})
        self._admin.ask("PUT", "compute", f"{quotas}?user_id={self.user}", {"quota_set": {"ram": 40000}})
        self._admin.ask("PUT", "compute", "/os-quota-class-sets/default", {"quota_class_set": {"metadata_items": 64}})

    # -- servers

    def _plain(self) -> None:
        user_data = base64.b64encode(b"#cloud-config\n").decode()
        web = self._server("web", key_name="laptop", metadata={"role": "web", "tier": "1"}, tags=["blue", "green"], user_data=user_data,
                           config_drive=True, description="the first one", availability_zone="az1", accessIPv4="203.0.113.9")
        port = self._demo.ask("GET", "network", f"/v2.0/ports?device_id={web}")["ports"][0]
        inside = next(one["ip_address"] for one in port["fixed_ips"] if ":" not in one["ip_address"])
        self._demo.ask("POST", "network", "/v2.0/floatingips", {"floatingip": {
            "floating_network_id": self._outside, "port_id": port["id"], "fixed_ip_address": inside,
        }})
        self._until(lambda: "floating" in str(self._show(web)["addresses"]))
        own = self._demo.ask("POST", "network", "/v2.0/ports", {"port": {"network_id": self._network, "name": "brought"}})["port"]
        self._demo.ask("POST", "network", "/v2.0/security-groups", {"security_group": {"name": "only-web"}})
        self._server("guarded", security_groups=[{"name": "only-web"}])
        self._server("two-nics", networks=[{"port": own["id"]}, {"uuid": self._network, "tag": "storage"}])
        self._server("disks", flavor="3", networks="none", block_device_mapping_v2=[
            {"boot_index": 0, "uuid": self._image, "source_type": "image", "destination_type": "local", "delete_on_termination": True},
            {"boot_index": -1, "source_type": "blank", "destination_type": "local", "volume_size": 1, "delete_on_termination": True},
        ])
        reservation = self._demo.ask("POST", "compute", "/servers", {"server": {
            "name": "many", "flavorRef": "1", "imageRef": self._image, "networks": "none", "min_count": 2, "return_reservation_id": True,
        }})["reservation_id"]
        for row in self._demo.ask("GET", "compute", f"/servers?reservation_id={reservation}")["servers"]:
            self.servers[row["name"]] = row["id"]
            self._wait(row["id"], "ACTIVE")
        self._server("orphan-flavor", flavor="9", networks="none")
        self._admin.ask("DELETE", "compute", "/flavors/9")
        self._server("of-admin", client=self._admin, key_name="office", networks="none", host=self._hosts[0])
        self._server("hinted", networks="none", hints={"different_host": [web]})

    def _grouped(self) -> None:
        for name, policy, rules in (("apart", "anti-affinity", {"max_server_per_host": 2}), ("near", "soft-affinity", None), ("empty", "affinity", None)):
            body = {"name": name, "policy": policy, **({"rules": rules} if rules else {})}
            group = self._demo.ask("POST", "compute", "/os-server-groups", {"server_group": body})["server_group"]["id"]
            for number in range(2 if name != "empty" else 0):
                self._server(f"{name}-{number}", networks="none", hints={"group": group})

    def _states(self) -> None:
        for name, action, status in (
            ("stopped", {"os-stop": None}, "SHUTOFF"), ("paused", {"pause": None}, "PAUSED"), ("suspended", {"suspend": None}, "SUSPENDED"),
            ("rescued", {"rescue": {}}, "RESCUE"), ("shelved", {"shelve": None}, "SHELVED_OFFLOADED"), ("rebooted", {"reboot": {"type": "HARD"}}, "ACTIVE"),
            ("broken", {"os-resetState": {"state": "error"}}, "ERROR"), ("rebuilt", {"rebuild": {"imageRef": self._image, "name": "built-anew"}}, "ACTIVE"),
        ):
            uuid = self._server(name, networks="none")
            self._act(uuid, action, client=self._admin)
            self._wait(uuid, status)
        locked = self._server("locked", networks="none")
        self._act(locked, {"lock": {"locked_reason": "payroll"}})
        by_admin = self._server("locked-by-admin", networks="none")
        self._act(by_admin, {"lock": None}, client=self._admin)
        self._admin.ask("PUT", "compute", f"/os-quota-sets/{self.project}", {"quota_set": {"cores": 1000}})
        failed = self._demo.ask("POST", "compute", "/servers", {"server": {
            "name": "no-room", "flavorRef": "4", "imageRef": self._image, "networks": "none", "tags": ["too-big"],
        }})["server"]["id"]
        self.servers["no-room"] = failed
        self._wait(failed, "ERROR")

    def _moved(self) -> None:
        resized = self._server("resized", flavor="1")
        self._act(resized, {"resize": {"flavorRef": "2"}})
        self._wait(resized, "VERIFY_RESIZE")
        migrated = self._server("migrated", networks="none")
        self._act(migrated, {"migrate": None}, client=self._admin)
        self._wait(migrated, "VERIFY_RESIZE")
        self._act(migrated, {"confirmResize": None}, client=self._admin)
        self._wait(migrated, "ACTIVE")

    def _gone(self) -> None:
        for name, action in (("soft-deleted", None), ("deleted", {"forceDelete": None})):
            uuid = self._server(name, networks="none")
            if action is None:
                self._demo.ask("DELETE", "compute", f"/servers/{uuid}")
                self._wait(uuid, "SOFT_DELETED")
            else:
                self._act(uuid, action)
                self._until(lambda uuid=uuid: not any(row["id"] == uuid for row in self._admin.ask("GET", "compute", "/servers?all_tenants=1")["servers"]))

    # -- parts

    def _server(self, name: str, *, client: Client | None = None, flavor: str = "1", hints: dict[str, Any] | None = None, **values: Any) -> str:
        body = {"name": name, "flavorRef": flavor, "imageRef": self._image, "networks": [{"uuid": self._network}], **values}
        asked: dict[str, Any] = {"server": {key: value for key, value in body.items() if value is not None}}
        if hints:
            asked["os:scheduler_hints"] = hints
        uuid = str((client or self._demo).ask("POST", "compute", "/servers", asked)["server"]["id"])
        self.servers[name] = uuid
        self._wait(uuid, "ACTIVE")
        return uuid

    def _act(self, uuid: str, body: dict[str, Any], *, client: Client | None = None) -> None:
        (client or self._demo).ask("POST", "compute", f"/servers/{uuid}/action", body)

    def _show(self, uuid: str) -> dict[str, Any]:
        return dict(self._admin.ask("GET", "compute", f"/servers/{uuid}")["server"])

    def _wait(self, uuid: str, status: str) -> None:
        def there() -> bool:
            now = self._show(uuid)
            if now["status"] == "ERROR" != status:
                raise RuntimeError(f"server {now['name']} is in ERROR: {now.get('fault')}")
            return bool(now["status"] == status and now["OS-EXT-STS:task_state"] is None)
        self._until(there)

    def _until(self, there: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _PATIENCE
        while not there():
            if time.monotonic() > give_up:
                raise TimeoutError("the story does not go on")
            time.sleep(0.3)

    def _compute(self, number: int) -> str:
        found = self._admin.ask("GET", "compute", f"/os-services?binary=nova-compute&host={self._hosts[number]}")["services"]
        return str(found[0]["id"])
