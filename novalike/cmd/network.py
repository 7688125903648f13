"""novalike-network: makes networks on this host."""

from novalike import concurrency

concurrency.setup()

import sys  # noqa: E402  the standard library is patched first

from oslo_config import cfg  # noqa: E402

from novalike.agents.network.desired import Desired  # noqa: E402
from novalike.agents.network.linux import LinuxHost  # noqa: E402
from novalike.clock import Clock  # noqa: E402
from novalike.cmd import process, wiring  # noqa: E402

OPTIONS = [
    cfg.BoolOpt("remove", default=False, help="Instead of running: remove this agent's networks from this host, and end."),
]


def main() -> None:
    """Run until told to stop."""
    conf = process.configure("novalike-network", options=OPTIONS)
    if conf.remove:
        sys.exit(0 if remove(conf) else 1)
    process.run(conf, lambda: [wiring.Wiring(conf).network_agent()])


def remove(conf: cfg.ConfigOpts) -> bool:
    """Remove the agent's bridges, namespaces, DHCP servers and rules from this host, and tell what others have here; False
    when something of its own stays (a guest in its bridge, say).

    The agent must not run, and needs to know of no conductor: it is a host which shall have no network.
    """
    return LinuxHost(conf, Clock(), Desired(), lambda *_: None).remove()


if __name__ == "__main__":
    main()
