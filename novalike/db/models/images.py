"""GLOBAL: the local image service's records. Bytes live in its store directory, named by `os_hash_value` (SHA-512)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import (
    GlobalBase,
    Name,
    OptName,
    OptStamp,
    OptUuid,
    OptWord,
    Time,
    Uuid,
    Word,
    table_args,
)


class ImageRow(GlobalBase):
    """`upload_id` fences the one upload which may finish; `upload_seen_at` (epoch ms) is its sign of life."""

    __tablename__ = "images"
    __table_args__ = table_args(
        Index("ix_images_created", "created_at", "id"),
        Index("ix_images_owner", "owner", "created_at"),
        Index("ix_images_visibility", "visibility", "created_at"),
        Index("ix_images_name", "name"),
        Index("ix_images_hash", "os_hash_value"),
        Index("ix_images_upload", "upload_seen_at"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    name: Mapped[OptName]
    owner: Mapped[OptWord]
    status: Mapped[str] = mapped_column(String(16))
    visibility: Mapped[str] = mapped_column(String(16))
    disk_format: Mapped[str | None] = mapped_column(String(16))
    container_format: Mapped[str | None] = mapped_column(String(16))
    size: Mapped[int | None] = mapped_column(BigInteger())
    virtual_size: Mapped[int | None] = mapped_column(BigInteger())
    min_disk: Mapped[int] = mapped_column(default=0)
    min_ram: Mapped[int] = mapped_column(default=0)
    checksum: Mapped[str | None] = mapped_column(String(32))
    os_hash_algo: Mapped[str | None] = mapped_column(String(16))
    os_hash_value: Mapped[str | None] = mapped_column(String(128))
    os_hidden: Mapped[int] = mapped_column(default=0)
    protected: Mapped[int] = mapped_column(default=0)
    upload_id: Mapped[OptUuid]
    upload_seen_at: Mapped[OptStamp]
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class ImagePropertyRow(GlobalBase):
    __tablename__ = "image_properties"
    __table_args__ = table_args(Index("ix_image_properties_name", "name"))

    image_id: Mapped[Uuid] = mapped_column(primary_key=True)
    name: Mapped[Name] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"))


class ImageTagRow(GlobalBase):
    __tablename__ = "image_tags"
    __table_args__ = table_args(Index("ix_image_tags_value", "value"))

    image_id: Mapped[Uuid] = mapped_column(primary_key=True)
    value: Mapped[Name] = mapped_column(primary_key=True)


class ImageMemberRow(GlobalBase):
    """A project with which a `shared` image is shared; `status` is pending, accepted or rejected."""

    __tablename__ = "image_members"
    __table_args__ = table_args(Index("ix_image_members_member", "member_id", "status"))

    image_id: Mapped[Uuid] = mapped_column(primary_key=True)
    member_id: Mapped[Word] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[Time]
    updated_at: Mapped[Time]
