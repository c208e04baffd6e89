"""results

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('edges',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('pre', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('post', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('weight', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_edges_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'pre', 'post', name=op.f('pk_edges'))
    )
    op.create_index(op.f('ix_edges_pre'), 'edges', ['pre'], unique=False)
    op.create_index(op.f('ix_edges_post'), 'edges', ['post'], unique=False)

    op.create_table('type_sums',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('neuropil', sa.String(length=200), nullable=False),
    sa.Column('pre_type', sa.String(length=200), nullable=False),
    sa.Column('post_type', sa.String(length=200), nullable=False),
    sa.Column('weight', sa.Double(), nullable=False),
    sa.Column('n_pre', sa.BigInteger(), nullable=False),
    sa.Column('n_post', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_type_sums_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'neuropil', 'pre_type', 'post_type', name=op.f('pk_type_sums'))
    )


def downgrade() -> None:

    op.drop_table('type_sums')
    op.drop_table('edges')
