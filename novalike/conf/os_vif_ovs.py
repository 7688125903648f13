"""[os_vif_ovs]: how ports are put into Open vSwitch. The options which os-vif has in Nova."""

from oslo_config import cfg

GROUP = "os_vif_ovs"

OPTIONS = [
    cfg.StrOpt(
        "ovsdb_connection", default="", help="Open vSwitch's database, as ovs-vsctl takes it. Empty: the socket where it looks by itself. "
        "(Nova: tcp:127.0.0.1:6640.)",
    ),
    cfg.IntOpt("ovs_vsctl_timeout", default=120, min=0, help="Seconds to wait for Open vSwitch. 0: without end."),
    cfg.BoolOpt(
        "isolate_vif", default=False,
        help="Put new ports into the dead VLAN 4095 until Neutron's Open vSwitch agent wires them. Not for other backends, which leave "
             "the port there.",
    ),
]
