"""Rules of the local image API, by Glance's names. The target's project is the image's owner."""

from __future__ import annotations

from novalike.policies.base import ADMIN, ANYONE, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_IMAGE = "/v2/images/{image_id}"

RULES = [
    operation("get_images", READER_OR_ADMIN, "List images.", ("GET", "/v2/images")),
    # Which images one sees is decided by their visibility, not here.
    operation("get_image", ANYONE, "Show an image one can see.", ("GET", _IMAGE)),
    operation("add_image", MEMBER_OR_ADMIN, "Create an image.", ("POST", "/v2/images")),
    operation("modify_image", MEMBER_OR_ADMIN, "Change an image, its tags and its data.", ("PATCH", _IMAGE),
              ("PUT", f"{_IMAGE}/tags/{{tag}}"), ("DELETE", f"{_IMAGE}/tags/{{tag}}")),
    operation("publicize_image", ADMIN, "Make an image public.", ("PATCH", _IMAGE), ("POST", "/v2/images")),
    operation("communitize_image", MEMBER_OR_ADMIN, "Make an image a community one.", ("PATCH", _IMAGE), ("POST", "/v2/images")),
    operation("delete_image", MEMBER_OR_ADMIN, "Delete an image.", ("DELETE", _IMAGE)),
    operation("upload_image", MEMBER_OR_ADMIN, "Upload, stage and import an image's data.", ("PUT", f"{_IMAGE}/file"),
              ("PUT", f"{_IMAGE}/stage"), ("POST", f"{_IMAGE}/import")),
    operation("download_image", ANYONE, "Download the data of an image one can see.", ("GET", f"{_IMAGE}/file")),
    operation("deactivate", MEMBER_OR_ADMIN, "Deactivate an image.", ("POST", f"{_IMAGE}/actions/deactivate")),
    operation("reactivate", MEMBER_OR_ADMIN, "Reactivate an image.", ("POST", f"{_IMAGE}/actions/reactivate")),
    operation("get_members", ANYONE, "List with whom an image is shared.", ("GET", f"{_IMAGE}/members")),
    operation("get_member", ANYONE, "Show a member of an image.", ("GET", f"{_IMAGE}/members/{{member_id}}")),
    operation("add_member", MEMBER_OR_ADMIN, "Share an image.", ("POST", f"{_IMAGE}/members")),
    operation("modify_member", ANYONE, "Accept or reject a shared image.", ("PUT", f"{_IMAGE}/members/{{member_id}}")),
    operation("delete_member", MEMBER_OR_ADMIN, "Stop sharing an image.", ("DELETE", f"{_IMAGE}/members/{{member_id}}")),
]
