"""Run by Alembic: applies revisions over the connection that `dialtone.gateway.stores.migrate` opened."""

from alembic import context

from dialtone.gateway.stores.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # One transaction with the lock that `migrate` holds, on SQLite too.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
