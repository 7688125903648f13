"""[network]: our own network service, and the agent which is its hands on a host."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "network"

OPTIONS = [
    cfg.StrOpt(
        "network_type", default="flat", choices=("flat", "vxlan", "vlan"),
        help="What networks become which name no type: `flat` is a bridge on each host by itself (one host, or hosts which "
             "need not reach each other), `vxlan` joins the bridges of all hosts, `vlan` does it by a VLAN of vlan_physical_network.",
    ),
    cfg.IntOpt("mtu", default=1500, min=68, max=65535, help="MTU of the wires between hosts; VXLAN networks get 50 less."),
    cfg.IntOpt("vni_first", default=1, min=1, max=16777215, help="First VXLAN identifier to give out."),
    cfg.IntOpt("vni_last", default=65535, min=1, max=16777215, help="Last VXLAN identifier to give out."),
    cfg.IntOpt("vlan_first", default=100, min=1, max=4094, help="First VLAN to give out."),
    cfg.IntOpt("vlan_last", default=4094, min=1, max=4094, help="Last VLAN to give out."),
    cfg.StrOpt("vlan_physical_network", default="", help="The physical network of VLAN networks which name none."),
    cfg.DictOpt(
        "physical_interfaces", default={},
        help="This host's interface to each physical network, as `name:interface`. A flat network takes the interface into "
             "its bridge, a VLAN network a VLAN device on it.",
    ),
    cfg.StrOpt("base_mac", default="fa:16:3e", regex=r"^[0-9a-f]{2}(:[0-9a-f]{2}){2}$", help="First half of generated MAC addresses."),
    cfg.StrOpt("dhcp_domain", deprecated_group="api", default="novalocal", help="Domain of guests whose network names none."),
    cfg.ListOpt(
        "dns_servers", default=[],
        help="Name servers which guests' queries are forwarded to, where a subnet names none. Default: those of "
             "/etc/resolv.conf which are not loopback addresses.",
    ),
    cfg.IntOpt("dhcp_lease_time", default=86400, min=120, help="Seconds a DHCP lease lasts."),
    cfg.StrOpt(
        "agent_driver", default="linux", choices=("linux", "none"),
        help="What makes networks true on a host: `linux` (bridges, namespaces, dnsmasq, nftables; needs root) or `none`, which "
             "does nothing, for clouds of fake hosts.",
    ),
    cfg.StrOpt("agent_state_path", default="/var/lib/novalike/network", help="Folder for the agent's DHCP files."),
    cfg.StrOpt(
        "agent_owner", default="", regex=r"^[a-z0-9]{0,16}$",
        help="Name of this agent among those which share the host: it is on everything the agent makes there, and what has "
             "another's is left alone. Empty: made from the real path of agent_state_path.",
    ),
    cfg.StrOpt(
        "namespace_prefix", default="nln-", regex=r"^[A-Za-z0-9_.-]{1,60}$",
        help="First part of the names of network namespaces. Agents in several network namespaces "
             "which share /run/netns need one each.",
    ),
    cfg.StrOpt("local_ip", default="", help="This host's address for VXLAN. Empty: it takes no part in VXLAN networks."),
    cfg.PortOpt("vxlan_port", default=4789, help="UDP port of VXLAN."),
    cfg.StrOpt(
        "on_demand_range", default="10.64.0.0/10",
        help="Where a project's network made on demand (`networks: auto`) takes its subnet when there is no default subnet pool; "
             "without a default external network it gets no router. Empty: both must be there, as Neutron demands.",
    ),
    cfg.StrOpt(
        "transit_range", default="100.127.0.0/16",
        help="Addresses between a network's namespace and its host, two for each network. Seen on the host only.",
    ),
    cfg.BoolOpt("nat", default=True, help="Whether guests reach the outside through the host's addresses."),
    cfg.BoolOpt(
        "host_access", default=True,
        help="Whether the host itself gets a route to the networks it serves, where that range is free.",
    ),
    cfg.FloatOpt("reconcile_interval", default=60.0, help="Seconds between two comparisons of the whole host with what it should be."),
    cfg.FloatOpt("linger", default=30.0, min=0, help="Seconds which a network stays on a host after its last port there went."),
    cfg.StrOpt("metadata_host", default="127.0.0.1", help="Where the metadata API listens, as seen from the host."),
    cfg.PortOpt("metadata_port", default=8775, help="Port of the metadata API."),
    cfg.StrOpt("metadata_path", default="", help="Path prefix of the metadata API, where it shares a port with others."),
    cfg.StrOpt("link_prefix", help="Start of links in the network API's answers, when clients reach it by another URL (proxy)."),
    cfg.IntOpt("quota_network", default=100, min=-1, help="Networks per project."),
    cfg.IntOpt("quota_subnet", default=100, min=-1, help="Subnets per project."),
    cfg.IntOpt("quota_port", default=500, min=-1, help="Ports per project."),
    cfg.IntOpt("quota_subnetpool", default=-1, min=-1, help="Subnet pools per project."),
    cfg.IntOpt("quota_router", default=10, min=-1, help="Routers per project."),
    cfg.IntOpt("quota_floatingip", default=50, min=-1, help="Floating IPs per project."),
    cfg.IntOpt("quota_security_group", default=10, min=-1, help="Security groups per project."),
    cfg.IntOpt("quota_security_group_rule", default=100, min=-1, help="Security group rules per project."),
]
