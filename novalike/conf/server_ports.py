"""[DEFAULT]: how servers and the ports which a real Neutron gives them are kept together. Conductors read these."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.IntOpt("vif_plugging_timeout", default=300, min=0, help=(
        "Seconds for which a server that is built, unshelved or reverted waits for Neutron to say that its ports are plugged. 0: it does "
        "not wait. Conductors read it; with novalike's own network service nothing is waited for."
    )),
    cfg.BoolOpt("vif_plugging_is_fatal", default=True, help=(
        "Whether a server fails whose ports are not plugged in time; else it goes on, with a warning in the log."
    )),
    cfg.IntOpt("heal_instance_info_cache_interval", default=60, help=(
        "Seconds between two looks of the conductors at what Neutron says of some servers' ports: what changed while nobody heard of it "
        "is taken over, and ports which deleted servers left there are removed. 0 or less: never. All servers get their turn."
    )),
]
