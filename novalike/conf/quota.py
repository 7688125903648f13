"""[quota]: limits of projects for which no others were set. -1 is unlimited."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "quota"

OPTIONS = [
    cfg.IntOpt("instances", min=-1, default=10, help="Servers per project."),
    cfg.IntOpt("cores", min=-1, default=20, help="Virtual CPUs of all servers of a project."),
    cfg.IntOpt("ram", min=-1, default=50 * 1024, help="Memory of all servers of a project, in MiB."),
    cfg.IntOpt("metadata_items", min=-1, default=128, help="Metadata items per server."),
    cfg.IntOpt("injected_files", min=-1, default=5, help="Files given at server creation."),
    cfg.IntOpt("injected_file_content_bytes", min=-1, default=10 * 1024, help="Bytes in one such file."),
    cfg.IntOpt("injected_file_path_length", min=-1, default=255, help="Bytes in the path of one such file."),
    cfg.IntOpt("key_pairs", min=-1, default=100, help="Key pairs per user."),
    cfg.IntOpt("server_groups", min=-1, default=10, help="Server groups per project."),
    cfg.IntOpt("server_group_members", min=-1, default=10, help="Servers per server group."),
]
