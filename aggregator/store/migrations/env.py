"""Runs migrations on the connection that `migrating.migrate` opened; there is no other way in."""

from alembic import context

from aggregator.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
