"""Every table there is, for migrations and their tests. Whoever adds a module of tables imports it here."""

from __future__ import annotations

from sqlalchemy import MetaData

from hilum.storage import automation_tables, batch_tables, dataset_tables, model_tables, tables, training_tables

METADATA: MetaData = tables.Base.metadata

_MODULES = (tables, automation_tables, batch_tables, dataset_tables, model_tables, training_tables)
