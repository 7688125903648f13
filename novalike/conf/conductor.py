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
    cfg.IntOpt("device_timeout", default=200, min=5, help=(
        "Seconds a host may take to plug a port or volume into a guest, or to unplug it. A guest which does not let go is asked "
        "for [libvirt]device_detach_attempts times device_detach_timeout seconds."
    )),
    cfg.IntOpt("volume_copy_timeout", default=6 * 3600, min=5, help=(
        "Seconds a host may take to copy a volume to another one beneath a guest."
    )),
    cfg.IntOpt("snapshot_timeout", default=3600, min=1, help=(
        "Seconds a host may take to copy a server's disk for an image; then the operation is undone."
    )),
    cfg.IntOpt("upload_timeout", default=14400, min=1, help=(
        "Seconds a host may take to send an image to the image service; then the operation is undone."
    )),
    cfg.IntOpt("move_timeout", default=3600, min=1, help=(
        "Seconds a host may take to fetch the disks of a server which is resized or migrated; then the move is undone there. "
        "Must exceed the time in which the largest disk crosses the network."
    )),
    cfg.IntOpt("destroy_timeout", default=120, min=1, help=(
        "Seconds a host may take to remove a server; then the removal becomes its debt and the operation goes on."
    )),
]
