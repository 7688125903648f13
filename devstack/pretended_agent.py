"""Neutron's agents of pretended hypervisors: says that they are alive, and that every port bound to their hosts is wired.

It runs in the neighbours' virtual environment and is no part of novalike. Where Open vSwitch runs, the real
neutron-openvswitch-agent stands in its place.

    python -I pretended_agent.py --config-file neutron.conf        ([pretended]hosts names the hosts)
"""

from __future__ import annotations

import sys
import time

from neutron.agent import rpc
from neutron.common import config
from neutron.conf.agent import common as agent_options
from neutron_lib import context
from neutron_lib import rpc as wire
from neutron_lib.agent import topics
from oslo_config import cfg
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

#: Seconds between two looks at the ports, and between two signs of life.
LOOK, REPORT = 0.5, 20.0


def main() -> None:
    """Run until told to stop."""
    config.register_common_config_options()
    agent_options.register_agent_state_opts_helper(cfg.CONF)
    cfg.CONF.register_opts([cfg.ListOpt("hosts", default=[])], group="pretended")
    config.init(sys.argv[1:])
    config.setup_logging()
    wire.init(cfg.CONF)
    ctxt = context.get_admin_context_without_session()
    states, ports = rpc.PluginReportStateAPI(topics.REPORTS), rpc.PluginApi(topics.PLUGIN)
    hosts = cfg.CONF.pretended.hosts
    reported = 0.0
    first = True
    while True:
        try:
            if time.monotonic() - reported > REPORT or first:
                for number, host in enumerate(hosts, 1):
                    states.report_state(ctxt, state(host, number, first=first), use_call=True)
                reported, first = time.monotonic(), False
            for host in hosts:
                wire_up(ctxt, ports, host)
        except Exception:                        # the broker or the server is away: later
            LOG.exception("Neutron was not told")
            time.sleep(2)
        time.sleep(LOOK)


def state(host: str, number: int, *, first: bool) -> dict[str, object]:
    """Answer what an Open vSwitch agent says of itself: ports of VXLAN and flat networks bind there."""
    found: dict[str, object] = {
        "binary": "neutron-openvswitch-agent", "host": host, "topic": "N/A", "agent_type": "Open vSwitch agent",
        "configurations": {
            "bridge_mappings": {"physnet1": "br-ex"}, "tunnel_types": ["vxlan"], "tunneling_ip": f"192.0.2.{number % 250 + 1}",
            "datapath_type": "system", "devices": 0, "l2_population": False, "ovs_capabilities": {"datapath_types": ["system"], "iface_types": []},
            "ovs_hybrid_plug": False, "integration_bridge": "br-int",
        },
    }
    return {**found, "start_flag": True} if first else found


def wire_up(ctxt: context.Context, ports: rpc.PluginApi, host: str) -> None:
    """Say of each port which is bound to the host that it is wired, as an agent does once it sees the tap."""
    found = ports.get_ports_by_vnic_type_and_host(ctxt, "normal", host)
    waiting = [port["id"] for port in found if port["status"] in ("BUILD", "DOWN") and port["device_owner"].startswith("compute:")]
    if waiting:
        ports.update_device_list(ctxt, waiting, [], agent_id=f"pretended-{host}", host=host)


if __name__ == "__main__":
    main()
