"""novalike-all: a whole cloud in one process.

SQLite, RPC inside the process, every API under one port (/compute, /identity, /image, /network, /metadata), a conductor, a
scheduler, and this machine's hypervisor with its network agent - or any number of pretended ones. It makes and upgrades its
own database, and at the first start the accounts, of which `<state dir>/openrc` tells.
"""

# ruff: noqa: E402  the standard library is patched first
from novalike import concurrency

concurrency.setup()

import logging
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from oslo_config import cfg

from novalike import service
from novalike.cmd import process, wiring

LOG = logging.getLogger(__name__)

OPTIONS = [
    cfg.StrOpt("state-dir", default=os.path.expanduser("~/.novalike") if os.geteuid() else "/var/lib/novalike", help=(
        "Folder of everything this cloud keeps."
    )),
    cfg.HostAddressOpt("listen", default="127.0.0.1", help="Address of all APIs."),
    cfg.PortOpt("port", default=8774, help="Port of all APIs."),
    cfg.HostAddressOpt("public-host", help="Host name or address by which clients reach the APIs. Default: the one listened on."),
    cfg.StrOpt("driver", choices=("auto", "fake", "libvirt"), default="auto", help=(
        "What runs guests: libvirt, fake (none really runs), or auto: libvirt where it answers."
    )),
    cfg.IntOpt("computes", default=1, min=1, max=1000, help="How many pretended hypervisors there are, with the fake driver."),
    cfg.StrOpt("admin-password", secret=True, help="Password of the user admin at the first start. Default: a random one."),
    cfg.StrOpt("demo-password", secret=True, help="Password of the user demo at the first start. Default: there is no such user."),
    cfg.BoolOpt("consoles", default=True, help="Serve VNC and serial consoles of real guests, on ports 6080 and 6083 unless configured otherwise."),
    cfg.BoolOpt("defaults", default=True, help="Make the usual flavors at the first start."),
]


def main() -> None:
    """Run until told to stop."""
    wiring.collect_seldom()                      # a quarter of a second: nearly nothing of what a start makes is garbage
    conf = configure()
    process.run(conf, lambda: parts(conf), ready=lambda: announce(conf))


def configure(arguments: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Read command line and configuration files, and decide what this shape decides by itself."""
    return decide(process.configure("novalike-all", arguments, options=OPTIONS))


def decide(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Set what follows from the shape and its command line; a configuration file wins."""
    state = Path(conf.state_dir).resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o750)
    fake = conf.driver == "fake" or (conf.driver == "auto" and not wiring.libvirt_is_here())
    if fake and conf.driver == "auto":
        LOG.warning("libvirt is not here: servers are pretended (the fake driver). No guest really runs.")
    name = _in_url(conf.public_host or _reachable(conf.listen))
    base = f"http://{name}:{conf.port}"
    settings: dict[str | None, dict[str, Any]] = {
        None: {
            "state_path": str(state), "transport_url": f"inproc://{os.getpid()}", "compute_driver": "fake" if fake else "libvirt",
            "allow_resize_to_same_host": True,       # there may be no other
        },
        "database": {"connection": f"sqlite:///{state}/novalike.sqlite"},
        "endpoints": {
            "compute": f"{base}/compute/v2.1", "identity": f"{base}/identity/v3", "image": f"{base}/image", "network": f"{base}/network",
        },
        "identity": {"public_endpoint": f"{base}/identity"},
        "network": {
            "agent_driver": "none" if fake else "linux", "agent_state_path": f"{state}/network",
            "metadata_host": _reachable(conf.listen), "metadata_port": conf.port, "metadata_path": "/metadata",
        },
        "vnc": {
            "novncproxy_host": conf.listen, "novncproxy_base_url": f"http://{name}:{conf.vnc.novncproxy_port}/vnc_lite.html",
        },
        "serial_console": {
            "enabled": conf.consoles and not fake, "serialproxy_host": conf.listen,
            "base_url": f"ws://{name}:{conf.serial_console.serialproxy_port}/",
        },
        "spice": {
            "html5proxy_host": conf.listen, "html5proxy_base_url": f"http://{name}:{conf.spice.html5proxy_port}/spice_auto.html",
        },
        "wsgi": {"access_log": conf.debug},
    }
    for group, values in settings.items():
        for name, value in values.items():
            conf.set_default(name, value, group=group)
    return conf


def parts(conf: cfg.ConfigOpts, arguments: Sequence[str] | None = None) -> Iterator[service.Part]:
    """Answer the parts of the cloud in the order in which they start; the APIs come last."""
    one = wiring.Wiring(conf)
    prepare(conf, one)
    # Hashing a password takes a good part of a second in a native thread; the daemons are loaded meanwhile.
    with ThreadPoolExecutor(1, "accounts") as thread:
        accounts = thread.submit(make_accounts, conf, one, one.local["identity"])
        yield from daemons(conf, one, arguments)
        apis = one.http("all", conf.listen, conf.port, one.api_services())
        accounts.result()                        # nobody is let in before; and without accounts nothing starts
        yield apis


def daemons(conf: cfg.ConfigOpts, one: wiring.Wiring, arguments: Sequence[str] | None) -> Iterator[service.Part]:
    """Answer everything but the APIs."""
    yield one.doorbell
    yield one.notifier
    yield one.conductor()
    yield from one.recovery()
    yield one.scheduler()
    yield one.network_agent()                        # with pretended hypervisors: one for all of them, which makes nothing
    if conf.compute_driver == "fake":
        for number in range(1, conf.computes + 1):
            yield one.hypervisor(process.pretended(conf, number, lambda: decide(process.read("novalike-all", arguments, options=OPTIONS))))
    else:
        yield one.hypervisor()
        if conf.consoles:
            yield one.console_proxy("novncproxy")
            yield one.console_proxy("serialproxy")
            if conf.spice.enabled:
                yield one.console_proxy("spicehtml5proxy")
    for name in one.local:
        yield from one.chores(name)


def prepare(conf: cfg.ConfigOpts, one: wiring.Wiring) -> None:
    """Bring the database to this version, and make secrets if there are none."""
    from novalike.db import keys, migrations

    migrations.sync(one.cells)
    if not conf.neutron.metadata_proxy_shared_secret:
        secret = keys.key(one.cells.shared, "metadata-proxy").hex()
        conf.set_default("metadata_proxy_shared_secret", secret, group="neutron")


def make_accounts(conf: cfg.ConfigOpts, one: wiring.Wiring, identity: Any) -> None:
    """Make the first accounts and flavors if there are none, and the openrc which tells of them."""
    openrc = Path(conf.state_path) / "openrc"
    if not openrc.exists():
        password = conf.admin_password or secrets.token_urlsafe(12)
        identity.bootstrap(admin_password=password, demo_password=conf.demo_password, reset_passwords=True)
        if conf.defaults:
            _flavors(one)
        _write_openrc(openrc, conf, password)
    else:
        identity.bootstrap(admin_password="")    # the catalog follows the port; accounts stay


def _flavors(one: wiring.Wiring) -> None:
    from novalike.db import flavors
    from novalike.exception import Duplicate
    from novalike.objects.flavor import USUAL

    for flavor in USUAL:
        try:
            one.cells.shared.write(flavors.create, flavor, now=one.clock.now())
        except Duplicate:
            LOG.debug("there is a flavor %s already", flavor.name)


def _write_openrc(path: Path, conf: cfg.ConfigOpts, password: str) -> None:
    lines = {
        "OS_AUTH_URL": conf.endpoints.identity, "OS_USERNAME": "admin", "OS_PASSWORD": password, "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": conf.identity.region,
    }
    # Not readable by others for a moment either.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"export {name}='{value}'\n" for name, value in lines.items())


def announce(conf: cfg.ConfigOpts) -> None:
    """Say on the terminal how to begin."""
    print(f"The cloud answers at {conf.endpoints.identity}. To use it:  . {conf.state_path}/openrc", file=sys.stderr, flush=True)


def _reachable(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104  compared, not bound


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
