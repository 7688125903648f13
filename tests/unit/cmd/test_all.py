"""novalike-all: from nothing to a cloud that answers, and down again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from devstack.processes import free_port


class Cloud:
    def __init__(self, state, *options):
        self.port = free_port()
        self.state = state
        self.started = time.monotonic()
        self.process = subprocess.Popen([
            sys.executable, "-W", "ignore", "-m", "novalike.cmd.all", "--state-dir", str(state), "--port", str(self.port),
            "--driver", "fake", "--log-file", str(state / "log"), *options,
        ], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert "The cloud answers" in line, f"it says {line!r} {(state / 'log').read_text()[-3000:]}"
        self.seconds = time.monotonic() - self.started

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = body if isinstance(body, bytes) else body and json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read() or b"null"), answer.headers
        connection.close()
        return found

    def token(self):
        lines = (self.state / "openrc").read_text().replace("export ", "").splitlines()
        rc = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
        status, body, headers = self.ask("POST", "/identity/v3/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": rc["OS_USERNAME"], "domain": {"id": "default"}, "password": rc["OS_PASSWORD"],
            }}},
            "scope": {"project": {"name": rc["OS_PROJECT_NAME"], "domain": {"id": "default"}}},
        }})
        assert status == 201, body
        return headers["X-Subject-Token"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.process.stderr.close()
        return status


@pytest.fixture
def start(tmp_path):
    clouds = []

    def make(*options):
        clouds.append(Cloud(tmp_path, *options))
        return clouds[-1]
    yield make
    for cloud in clouds:
        if cloud.process.poll() is None:
            cloud.process.kill()
            cloud.process.wait()
        cloud.process.stderr.close()


def test_a_cloud_from_nothing_and_again(start, tmp_path):
    cloud = start("--computes", "3")
    token = cloud.token()
    status, body, headers = cloud.ask("GET", "/compute/v2.1/os-services?binary=nova-compute", **{"X-Auth-Token": token})
    assert status == 200, body
    assert headers["X-Compute-Request-Id"].startswith("req-")
    assert len(body["services"]) == 3
    assert {service["state"] for service in body["services"]} == {"up"}
    assert cloud.ask("GET", "/compute/v2.1/servers")[0] == 401
    assert stat.S_IMODE(os.stat(tmp_path / "openrc").st_mode) == 0o600
    flavors = cloud.ask("GET", "/compute/v2.1/flavors", **{"X-Auth-Token": token})[1]["flavors"]
    assert "m1.tiny" in {flavor["name"] for flavor in flavors}
    assert cloud.stop() == 0

    again = start("--computes", "3")
    assert again.ask("GET", "/compute/v2.1/flavors", **{"X-Auth-Token": token})[1]["flavors"] == [
        {**flavor, "links": [{**link, "href": link["href"].replace(str(cloud.port), str(again.port))} for link in flavor["links"]]}
        for flavor in flavors
    ], "accounts, tokens and flavors outlive the process"
    assert again.stop() == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log, log[-3000:]


def test_a_server_becomes_active_and_goes(start):
    cloud = start()
    said = {"X-Auth-Token": cloud.token(), "OpenStack-API-Version": "compute 2.90"}
    status, image, _ = cloud.ask("POST", "/image/v2/images", {"name": "zero", "disk_format": "raw", "container_format": "bare"}, **said)
    assert status == 201, image
    status, _, _ = cloud.ask("PUT", f"/image/v2/images/{image['id']}/file", bytes(1024), **said | {"Content-Type": "application/octet-stream"})
    assert status == 204
    wanted = {"name": "one", "flavorRef": "0", "imageRef": image["id"], "networks": "none"}
    status, body, _ = cloud.ask("POST", "/compute/v2.1/servers", {"server": wanted}, **said)
    assert status == 202, body
    path = f"/compute/v2.1/servers/{body['server']['id']}"

    def until(condition):
        deadline = time.monotonic() + 20
        while not condition(found := cloud.ask("GET", path, **said)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found[1]
    server = until(lambda found: found[1]["server"]["status"] in ("ACTIVE", "ERROR"))["server"]
    assert server["status"] == "ACTIVE", server
    assert cloud.ask("DELETE", path, **said)[0] == 204
    until(lambda found: found[0] == 404)
    assert cloud.stop() == 0
