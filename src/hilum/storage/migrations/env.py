"""Alembic's way in: it is handed the connection of `hilum.storage.schema` and runs in its transaction."""

from __future__ import annotations

from alembic import context

from hilum.storage.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table only by copying it
    transactional_ddl=True,
)
context.run_migrations()
