"""The local image service."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "image"
OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("store_directory", default="$state_path/images",
               help="Folder of the images' bytes. Several API processes may share it (flock must work there)."),
    cfg.IntOpt("image_size_cap", default=1099511627776, min=1, help="Largest image in bytes."),
    cfg.IntOpt("image_property_quota", default=128, min=-1, help="Most properties of one image (-1: any number)."),
    cfg.IntOpt("image_tag_quota", default=128, min=-1, help="Most tags of one image (-1: any number)."),
    cfg.IntOpt("image_member_quota", default=128, min=-1, help="Most members of one image (-1: any number)."),
    cfg.IntOpt("limit_param_default", default=25, min=1, help="How many images one answer of a list holds when not told."),
    cfg.IntOpt("api_limit_max", default=1000, min=1, help="Most images which one answer of a list holds."),
    cfg.IntOpt("ticket_lifetime", default=600, min=1, help="Seconds for which a hypervisor may begin to fetch an image."),
    cfg.IntOpt("upload_timeout", default=120, min=10,
               help="Seconds without a sign of life after which an upload counts as dead and its image as queued again."),
    cfg.ListOpt("container_formats", default=["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"],
                help="Allowed container formats."),
    cfg.ListOpt("disk_formats", default=["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso"],
                help="Allowed disk formats."),
    cfg.StrOpt("public_endpoint", help="The URL under which clients reach the image API, when a proxy stands before it."),
    cfg.StrOpt("internal_endpoint",
               help="The image API's URL as hypervisors reach it. Default: the image endpoint of [endpoints]."),
]
