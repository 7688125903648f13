"""[volume]: where volumes come from."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "volume"
OPTIONS = [
    cfg.StrOpt("client", default="", help=(
        "Client of the volume service: a name of the entry points novalike.volume_clients, or module:function, which is called "
        "with the configuration and answers a novalike.volume.client.VolumeClient. Empty: this cloud has no volumes."
    )),
]
