"""The load of the benchmark: an HTTP session which costs little, and what it asks of a cloud."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import time
import urllib.parse
from typing import Any

from devstack.client import Client

TIMEOUT = 120.0


class Session:
    """One kept-alive connection to the Compute API. Not for several threads at once."""

    def __init__(self, client: Client) -> None:
        if not client.token:
            client.login()
        self._url = urllib.parse.urlsplit(client.endpoints["compute"])
        self._headers = {
            "Content-Type": "application/json", "Accept": "application/json", "X-Auth-Token": client.token,
            "OpenStack-API-Version": "compute 2.96",
        }
        self._connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=60)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Answer status and body as they come."""
        self._connection.request(method, f"{self._url.path}{path}", json.dumps(body) if body is not None else None, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Answer status and decoded body. Raises RuntimeError for what is not 2xx or 404."""
        status, text = self.send(method, path, body)
        if status >= 300 and status != 404:
            raise RuntimeError(f"{method} {path}: {status} {text[:500].decode(errors='replace')}")
        return status, json.loads(text) if text else None


class Cloud:
    """What the benchmark does to one cloud, as its administrator."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.session = Session(client)
        self.body: dict[str, Any] = {}

    def prepare(self) -> None:
        """Raise the quotas; make image, network and flavor if they are not there."""
        client = self.client
        project = client.ask("GET", "identity", "/projects?name=admin")["projects"][0]["id"]
        client.ask("PUT", "compute", f"/os-quota-sets/{project}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}, version="2.56")
        client.ask("PUT", "network", f"/v2.0/quotas/{project}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
        flavors = client.ask("GET", "compute", "/flavors")["flavors"]
        flavor = next((one for one in flavors if one["name"] == "bench"), None) or client.ask("POST", "compute", "/flavors", {
            "flavor": {"name": "bench", "ram": 64, "vcpus": 1, "disk": 1},
        })["flavor"]
        networks = client.ask("GET", "network", "/v2.0/networks?name=bench")["networks"]
        network = networks[0] if networks else self._network()
        images = client.ask("GET", "image", "/v2/images?name=bench")["images"]
        image = images[0] if images else self._image()
        self.body = {"name": "bench", "flavorRef": flavor["id"], "imageRef": image["id"], "networks": [{"uuid": network["id"]}]}

    def _network(self) -> Any:
        network = self.client.ask("POST", "network", "/v2.0/networks", {"network": {"name": "bench"}})["network"]
        self.client.ask("POST", "network", "/v2.0/subnets", {
            "subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.64.0.0/18", "name": "bench"},
        })
        return network

    def _image(self) -> Any:
        image = self.client.ask("POST", "image", "/v2/images", {
            "name": "bench", "disk_format": "raw", "container_format": "bare",
        })
        self.client.upload(f"/v2/images/{image['id']}/file", b"\0" * 4096)
        return image

    # -- creating

    def create(self, *, count: int = 1, session: Session | None = None) -> str:
        """Ask for servers; answer the id of the first."""
        body = {"server": {**self.body, "min_count": count, "max_count": count}}
        return str((session or self.session).ask("POST", "/servers", body)[1]["server"]["id"])

    def until_active(self, server: str, *, every: float) -> None:
        """Wait for one server. Raises RuntimeError when it ends in another state, TimeoutError."""
        give_up = time.monotonic() + TIMEOUT
        while time.monotonic() < give_up:
            found = self.session.ask("GET", f"/servers/{server}")[1]["server"]
            if found["status"] == "ACTIVE":
                return
            if found["status"] != "BUILD":
                raise RuntimeError(f"server {server} is {found['status']}: {found.get('fault', {}).get('message')}")
            time.sleep(every)
        raise TimeoutError(f"server {server} was not ACTIVE within {TIMEOUT:g} s")

    def until_built(self, expected: int, *, every: float = 0.1) -> None:
        """Wait until no server is being built. Raises RuntimeError when others than `expected` are ACTIVE, TimeoutError."""
        give_up = time.monotonic() + TIMEOUT
        while self.session.ask("GET", "/servers?status=BUILD&limit=1")[1]["servers"]:
            if time.monotonic() > give_up:
                raise TimeoutError(f"servers were still being built after {TIMEOUT:g} s")
            time.sleep(every)
        active = len(self.servers("status=ACTIVE&"))
        if active != expected:
            raise RuntimeError(f"{active} servers are ACTIVE where {expected} should be")

    def servers(self, query: str = "") -> list[str]:
        """Answer the ids of all servers."""
        found: list[str] = []
        while True:
            marker = f"&marker={found[-1]}" if found else ""
            page = self.session.ask("GET", f"/servers?{query}limit=1000{marker}")[1]["servers"]
            found += [server["id"] for server in page]
            if len(page) < 1000:
                return found

    def create_together(self, count: int, threads: int) -> None:
        """POST one server at a time from several threads."""
        sessions = [Session(self.client) for _ in range(threads)]

        def some(number: int) -> None:
            for _ in range(number, count, threads):
                self.create(session=sessions[number])
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, range(threads)))

    # -- deleting

    def delete(self, server: str, session: Session | None = None) -> None:
        """Ask for a server's end."""
        (session or self.session).ask("DELETE", f"/servers/{server}")

    def until_gone(self, server: str, *, every: float) -> None:
        """Wait for 404. Raises TimeoutError."""
        give_up = time.monotonic() + TIMEOUT
        while self.session.ask("GET", f"/servers/{server}")[0] != 404:
            if time.monotonic() > give_up:
                raise TimeoutError(f"server {server} was not gone after {TIMEOUT:g} s")
            time.sleep(every)

    def delete_together(self, servers: list[str], threads: int) -> None:
        """Delete all servers there are from several threads and wait until none is left. Raises TimeoutError."""
        sessions = [Session(self.client) for _ in range(threads)]

        def some(number: int) -> None:
            for server in servers[number::threads]:
                self.delete(server, sessions[number])
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, range(threads)))
        give_up = time.monotonic() + TIMEOUT
        while self.session.ask("GET", "/servers?limit=1")[1]["servers"]:
            if time.monotonic() > give_up:
                raise TimeoutError(f"servers were left {TIMEOUT:g} s after their deletion")
            time.sleep(0.1)
