"""[conductor]: how operations are carried through."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "conductor"
OPTIONS = [
    cfg.IntOpt("workers", default=16, min=1, help="How many tasks one conductor works on at a time (threads)."),
    cfg.FloatOpt("sweep_interval", default=2.0, min=0.1, help=(
        "Seconds between two looks for tasks and actions whose time has come; finds what a lost message left behind."
    )),
    cfg.IntOpt("lease_time", default=90, min=5, help=(
        "Seconds for which a task is its conductor's alone. When that one dies, another goes on with the task after this time, "
        "so it must be less than the timeouts below; and more than any step takes which waits for no host."
    )),
    cfg.FloatOpt("heartbeat_batch_interval", default=1.0, min=0.05, help=(
        "Seconds for which heartbeats of hosts are gathered before one UPDATE stores them all."
    )),
    cfg.FloatOpt("reconcile_interval", default=60.0, min=1.0, help="Seconds between two runs of the reconcilers."),
    cfg.IntOpt("allocate_timeout", default=120, min=1, help="Seconds a build may take to be placed and to get its ports."),
    cfg.IntOpt("build_timeout", default=900, min=1, help=(
        "Seconds one host may take to build a server; then the build is undone there and tried on another host. "
        "Nova's instance_build_timeout is off by default and covers the whole build instead."
    )),
    cfg.IntOpt("destroy_timeout", default=120, min=1, help=(
        "Seconds a host may take to remove a server; then the removal becomes its debt and the operation goes on."
    )),
]
