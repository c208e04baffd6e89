"""queues, traces, and counters

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('counters',
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('labels', sa.String(length=500), nullable=False),
        sa.Column('value', sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint('name', 'labels', name=op.f('pk_counters'))
    )
    op.add_column('jobs', sa.Column('queue', sa.String(length=16), server_default='cpu', nullable=False))
    op.add_column('jobs', sa.Column('traceparent', sa.String(length=64), nullable=True))
    op.add_column('units', sa.Column('queue', sa.String(length=16), nullable=True))
    op.add_column('units', sa.Column('queued_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('units', 'queued_at')
    op.drop_column('units', 'queue')
    op.drop_column('jobs', 'traceparent')
    op.drop_column('jobs', 'queue')
    op.drop_table('counters')
