"""[DEFAULT]: who and where this machine is."""

from __future__ import annotations

import socket

from oslo_config import cfg
from oslo_utils import netutils

GROUP = None
OPTIONS = [
    cfg.StrOpt(
        "host", default=socket.gethostname(), sample_default="<host name>",
        help="Name of this host in all rows and messages. Changing it makes it another host.",
    ),
    cfg.HostAddressOpt(
        "my_ip", default=netutils.get_my_ipv4(), sample_default="<address of this host>", help="Address of this host.",
    ),
    cfg.HostAddressOpt("my_block_storage_ip", help="Address of this host for volumes. Not set: my_ip."),
    cfg.StrOpt("state_path", default="/var/lib/novalike", help="Folder below which daemons keep what must survive a restart."),
]
