"""files of a job in order, a page at a time

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_artifacts_job_id_id', 'artifacts', ['job_id', 'id'])


def downgrade() -> None:
    op.drop_index('ix_artifacts_job_id_id', table_name='artifacts')
