"""What alembic runs; the work is done in novalike/db/migrations.py."""

from alembic import context

from novalike.db import migrations

migrations.run("global", context)
