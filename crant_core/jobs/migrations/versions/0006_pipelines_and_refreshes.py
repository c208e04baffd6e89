"""pipelines and refreshes

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_id', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('step', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('previous_id', sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f('ix_jobs_parent_id'), ['parent_id'], unique=False)
    with op.batch_alter_table('attempts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('requests', sa.Integer(), nullable=True))
    op.create_table('refresh_changes',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('change', sa.String(length=32), nullable=False),
    sa.Column('root_id', sa.BigInteger(), nullable=False),
    sa.Column('old_id', sa.BigInteger(), nullable=True),
    sa.Column('partner_id', sa.BigInteger(), nullable=True),
    sa.Column('measure', sa.String(length=64), nullable=False),
    sa.Column('before', sa.Double(), nullable=True),
    sa.Column('after', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_refresh_changes_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'number', name=op.f('pk_refresh_changes'))
    )
    op.create_index(op.f('ix_refresh_changes_root_id'), 'refresh_changes', ['root_id'], unique=False)
    op.create_table('notifications',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('events', sa.String(length=64), nullable=False),
    sa.Column('changed_percent', sa.Double(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_notifications_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notifications')),
    sa.UniqueConstraint('job_id', 'position', name=op.f('uq_notifications_job_id_position'))
    )
    op.create_index(op.f('ix_notifications_state'), 'notifications', ['state'], unique=False)


def downgrade() -> None:
    op.drop_table('notifications')
    op.drop_table('refresh_changes')
    with op.batch_alter_table('attempts', schema=None) as batch_op:
        batch_op.drop_column('requests')
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_jobs_parent_id'))
        batch_op.drop_column('previous_id')
        batch_op.drop_column('step')
        batch_op.drop_column('parent_id')
