"""`novalike-manage cell`: where instances live."""

from __future__ import annotations

from novalike.manage.command import Command, Session


def show(session: Session) -> int:
    """List the cells and their databases, without passwords."""
    cells = session.cells
    rows = [
        {
            "name": name, "database": cells.cell(name).url.render_as_string(hide_password=True),
            "shared": cells.cell(name) is cells.shared,
        }
        for name in cells.names()
    ]
    session.output.rows(("name", "database", "shared"), rows, empty="There are no cells.")
    return 0


COMMANDS = (Command("cell", "list", "List the cells and their databases.", show),)
