"""Records of the local image service. Functions take a session and answer objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db.models.images import ImageMemberRow, ImagePropertyRow, ImageRow, ImageTagRow
from novalike.exception import Duplicate, NotFound
from novalike.objects.image import Image, ImageMember

_FLAGS = frozenset({"os_hidden", "protected"})
_PARTS = frozenset({"tags", "properties"})
_COLUMNS = tuple(f.name for f in dataclasses.fields(Image) if f.name not in _PARTS)

#: Keys by which a list may be sorted, as expressions without NULLs, so that pages never skip or repeat.
_SORTABLE: dict[str, Any] = {
    "id": ImageRow.id, "name": sa.func.coalesce(ImageRow.name, ""), "status": ImageRow.status,
    "disk_format": sa.func.coalesce(ImageRow.disk_format, ""), "container_format": sa.func.coalesce(ImageRow.container_format, ""),
    "size": sa.func.coalesce(ImageRow.size, -1), "created_at": ImageRow.created_at, "updated_at": ImageRow.updated_at,
    "min_disk": ImageRow.min_disk, "min_ram": ImageRow.min_ram, "owner": sa.func.coalesce(ImageRow.owner, ""),
    "visibility": ImageRow.visibility, "os_hidden": ImageRow.os_hidden, "protected": ImageRow.protected,
}
SORT_KEYS = tuple(_SORTABLE)

# Built once: every new server needs them.
_FIND = sa.select(*(getattr(ImageRow, name) for name in _COLUMNS)).where(ImageRow.id == sa.bindparam("in_id"))
_PROPERTIES_OF = sa.select(ImagePropertyRow.image_id, ImagePropertyRow.name, ImagePropertyRow.value).where(
    ImagePropertyRow.image_id.in_(sa.bindparam("ids", expanding=True)),
)
_TAGS_OF = sa.select(ImageTagRow.image_id, ImageTagRow.value).where(
    ImageTagRow.image_id.in_(sa.bindparam("ids", expanding=True)),
).order_by(ImageTagRow.value)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """For whom a list is made: an admin sees every image."""

    project_id: str | None
    is_admin: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a list asks for. `equal` are columns and their allowed values; `between` (column, operator, value);
    `visibility` None: what one sees by default; `sort` (key, ascending).
    """

    visibility: str | None = None
    member_status: str = "accepted"
    equal: dict[str, list[Any]] = field(default_factory=dict)
    between: list[tuple[str, str, Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    sort: list[tuple[str, bool]] = field(default_factory=lambda: [("created_at", False)])
    marker: str | None = None
    limit: int = 25


# --- images -------------------------------------------------------------------------------------------------------------

def find(session: Session, image_id: str) -> Image | None:
    """Answer an image, whoever may see it, or None."""
    row = session.execute(_FIND, {"in_id": image_id}).one_or_none()
    return None if row is None else _objects(session, [row])[0]


def is_visible(session: Session, image: Image, viewer: Viewer) -> bool:
    """Tell whether someone may know of an image."""
    if viewer.is_admin or image.visibility in {"public", "community"} or image.owner in {None, viewer.project_id}:
        return True
    return image.visibility == "shared" and find_member(session, image.id, viewer.project_id or "") is not None


def listing(session: Session, wanted: Wanted, viewer: Viewer) -> list[Image]:
    """Answer the images which someone sees and asks for. Raises NotFound for an unknown marker."""
    query = sa.select(*_columns()).where(*_visible(wanted, viewer), *_filters(wanted))
    sort = [*wanted.sort, *([] if any(key == "id" for key, _ in wanted.sort) else [("id", wanted.sort[-1][1])])]
    if wanted.marker is not None:
        query = query.where(_after(session, wanted.marker, sort))
    query = query.order_by(*(_SORTABLE[key].asc() if up else _SORTABLE[key].desc() for key, up in sort))
    return _objects(session, list(session.execute(query.limit(wanted.limit))))


def add(session: Session, image: Image) -> Image:
    """Store a new image. Raises Duplicate when its id is taken."""
    session.add(ImageRow(**_values(image)))
    try:
        session.flush()
    except IntegrityError as error:
        raise Duplicate(f"Image ID {image.id} already exists!") from error
    _write_parts(session, image)
    return image


def change(session: Session, image: Image, *, only_status: str | None = None) -> bool:
    """Store an image's fields, tags and properties (not what an upload owns: status, size, hashes). Tells whether it was
    there, in `only_status` if given.
    """
    values = {name: value for name, value in _values(image).items() if name not in _UPLOADED}
    where = [ImageRow.id == image.id, *([ImageRow.status == only_status] if only_status else [])]
    if not session.execute(sa.update(ImageRow).where(*where).values(**values)).rowcount:  # type: ignore[attr-defined]
        return False
    _write_parts(session, image)
    return True


_UPLOADED = frozenset({"id", "status", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "created_at"})


def delete(session: Session, image_id: str) -> str | None:
    """Delete an image and answer the hash of the content it had. Raises NotFound."""
    row = session.execute(sa.select(ImageRow.os_hash_value).where(ImageRow.id == image_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"No image found with ID {image_id}")
    for table in (ImagePropertyRow, ImageTagRow, ImageMemberRow):
        session.execute(sa.delete(table).where(table.image_id == image_id))
    session.execute(sa.delete(ImageRow).where(ImageRow.id == image_id))
    return row[0]


def is_referenced(session: Session, sha512: str) -> bool:
    """Tell whether any image has this content."""
    return session.scalar(sa.select(ImageRow.id).where(ImageRow.os_hash_value == sha512).limit(1)) is not None


def _columns() -> list[Any]:
    return [getattr(ImageRow, name) for name in _COLUMNS]


def _values(image: Image) -> dict[str, Any]:
    return {name: int(getattr(image, name)) if name in _FLAGS else getattr(image, name) for name in _COLUMNS}


def _write_parts(session: Session, image: Image) -> None:
    session.execute(sa.delete(ImagePropertyRow).where(ImagePropertyRow.image_id == image.id))
    session.execute(sa.delete(ImageTagRow).where(ImageTagRow.image_id == image.id))
    if image.properties:
        session.execute(sa.insert(ImagePropertyRow), [
            {"image_id": image.id, "name": name, "value": value} for name, value in image.properties.items()
        ])
    if image.tags:
        session.execute(sa.insert(ImageTagRow), [{"image_id": image.id, "value": tag} for tag in dict.fromkeys(image.tags)])


def _objects(session: Session, rows: list[Any]) -> list[Image]:
    ids = [row.id for row in rows]
    properties: dict[str, dict[str, str]] = {}
    tags: dict[str, list[str]] = {}
    if ids:
        for image_id, name, value in session.execute(_PROPERTIES_OF, {"ids": ids}):
            properties.setdefault(image_id, {})[name] = value
        for image_id, tag in session.execute(_TAGS_OF, {"ids": ids}):
            tags.setdefault(image_id, []).append(tag)
    images = []
    for row in rows:
        values: dict[str, Any] = {name: bool(value) if name in _FLAGS else value for name, value in row._mapping.items()}  # noqa: SLF001
        images.append(Image(**values, tags=tuple(tags.get(row.id, ())), properties=properties.get(row.id, {})))
    return images


def _visible(wanted: Wanted, viewer: Viewer) -> list[Any]:
    member = sa.select(ImageMemberRow.image_id).where(ImageMemberRow.member_id == (viewer.project_id or ""))
    if wanted.member_status != "all":
        member = member.where(ImageMemberRow.status == wanted.member_status)
    own = ImageRow.owner == viewer.project_id
    shared = sa.and_(ImageRow.visibility == "shared", sa.or_(own, ImageRow.id.in_(member)))
    if wanted.visibility == "shared":
        return [ImageRow.visibility == "shared"] if viewer.is_admin else [shared]
    if wanted.visibility == "private":
        return [ImageRow.visibility == "private", *([] if viewer.is_admin else [own])]
    if wanted.visibility in {"public", "community"}:
        return [ImageRow.visibility == wanted.visibility]
    if viewer.is_admin:
        return []
    seen = ["public", "community"] if wanted.visibility == "all" else ["public"]
    return [sa.or_(ImageRow.visibility.in_(seen), own, shared)]


def _filters(wanted: Wanted) -> list[Any]:
    where: list[Any] = [getattr(ImageRow, name).in_(values) for name, values in wanted.equal.items()]
    for name, operator, value in wanted.between:
        column = getattr(ImageRow, name)
        where.append({
            "gt": column > value, "gte": column >= value, "lt": column < value, "lte": column <= value, "eq": column == value,
            "neq": column != value,
        }[operator])
    where += [ImageRow.id.in_(sa.select(ImageTagRow.image_id).where(ImageTagRow.value == tag)) for tag in wanted.tags]
    for name, value in wanted.properties.items():
        having = sa.select(ImagePropertyRow.image_id).where(ImagePropertyRow.name == name, ImagePropertyRow.value == value)
        where.append(ImageRow.id.in_(having))
    return where


def _after(session: Session, marker: str, sort: list[tuple[str, bool]]) -> Any:
    last = session.execute(sa.select(*(_SORTABLE[key].label(f"k{i}") for i, (key, _) in enumerate(sort))).where(ImageRow.id == marker)).one_or_none()
    if last is None:
        raise NotFound(f"Marker {marker[:64]} could not be found.")
    beyond: list[Any] = []
    for i, (key, up) in enumerate(sort):
        same = [_SORTABLE[sort[j][0]] == last[j] for j in range(i)]
        step = _SORTABLE[key] > last[i] if up else _SORTABLE[key] < last[i]
        beyond.append(sa.and_(*same, step))
    return sa.or_(*beyond)


# --- uploads ------------------------------------------------------------------------------------------------------------

def begin_upload(session: Session, image_id: str, upload_id: str, *, states: Iterable[str], saving: str, now: int) -> bool:
    """Let this upload be the one which may fill the image, when it is in one of `states`. Tells whether it is."""
    moved = session.execute(
        sa.update(ImageRow).where(ImageRow.id == image_id, ImageRow.status.in_(list(states)))
        .values(status=saving, upload_id=upload_id, upload_seen_at=now),
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def upload_alive(session: Session, image_id: str, upload_id: str, *, now: int) -> bool:
    """Give a sign of life. Tells whether the upload still is the one (the image may be deleted, or taken over)."""
    where = (ImageRow.id == image_id, ImageRow.upload_id == upload_id)
    return bool(session.execute(sa.update(ImageRow).where(*where).values(upload_seen_at=now)).rowcount)  # type: ignore[attr-defined]


def end_upload(session: Session, image_id: str, upload_id: str, /, *, status: str, now: datetime, **content: Any) -> bool:
    """Set what came of an upload. Tells whether it still was the one: otherwise nothing was written."""
    moved = session.execute(
        sa.update(ImageRow).where(ImageRow.id == image_id, ImageRow.upload_id == upload_id)
        .values(status=status, upload_id=None, upload_seen_at=None, updated_at=now, **content),
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def dead_uploads(session: Session, *, before: int) -> list[str]:
    """Answer the ids of images whose upload gave no sign of life since."""
    return list(session.scalars(sa.select(ImageRow.id).where(ImageRow.upload_seen_at < before)))


def requeue(session: Session, image_id: str, *, before: int, status: str) -> bool:
    """End an upload which is dead, so that another may begin. Tells whether it was."""
    moved = session.execute(
        sa.update(ImageRow).where(ImageRow.id == image_id, ImageRow.upload_seen_at < before)
        .values(status=status, upload_id=None, upload_seen_at=None),
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def set_status(session: Session, image_id: str, *, old: Iterable[str], new: str, now: datetime) -> bool:
    """Move an image's status. Tells whether it was in one of the old ones."""
    moved = session.execute(
        sa.update(ImageRow).where(ImageRow.id == image_id, ImageRow.status.in_(list(old))).values(status=new, updated_at=now),
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


# --- members ------------------------------------------------------------------------------------------------------------

def members(session: Session, image_id: str) -> list[ImageMember]:
    """Answer with whom an image is shared."""
    rows = session.scalars(sa.select(ImageMemberRow).where(ImageMemberRow.image_id == image_id).order_by(ImageMemberRow.member_id))
    return [_member(row) for row in rows]


def find_member(session: Session, image_id: str, member_id: str) -> ImageMember | None:
    """Answer one member of an image, or None."""
    where = (ImageMemberRow.image_id == image_id, ImageMemberRow.member_id == member_id)
    row = session.scalar(sa.select(ImageMemberRow).where(*where))
    return None if row is None else _member(row)


def add_member(session: Session, member: ImageMember) -> ImageMember:
    """Share an image. Raises Duplicate."""
    session.add(ImageMemberRow(**dataclasses.asdict(member)))
    try:
        session.flush()
    except IntegrityError as error:
        raise Duplicate(f"The target member {member.member_id} is already associated with image {member.image_id}.") from error
    return member


def set_member_status(session: Session, image_id: str, member_id: str, *, status: str, now: datetime) -> ImageMember:
    """Accept or reject a shared image. Raises NotFound."""
    where = (ImageMemberRow.image_id == image_id, ImageMemberRow.member_id == member_id)
    session.execute(sa.update(ImageMemberRow).where(*where).values(status=status, updated_at=now))
    member = find_member(session, image_id, member_id)
    if member is None:
        raise NotFound(f"{member_id[:64]} not found in the member list of the image {image_id}.")
    return member


def remove_member(session: Session, image_id: str, member_id: str) -> bool:
    """End sharing with a project. Tells whether it was shared."""
    where = (ImageMemberRow.image_id == image_id, ImageMemberRow.member_id == member_id)
    return bool(session.execute(sa.delete(ImageMemberRow).where(*where)).rowcount)  # type: ignore[attr-defined]


def _member(row: ImageMemberRow) -> ImageMember:
    return ImageMember(
        image_id=row.image_id, member_id=row.member_id, status=row.status, created_at=row.created_at, updated_at=row.updated_at,
    )
