"""the whole engine

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('dependencies',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('after_id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['after_id'], ['jobs.id'], name=op.f('fk_dependencies_after_id_jobs')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_dependencies_job_id_jobs')),
    sa.PrimaryKeyConstraint('job_id', 'after_id', name=op.f('pk_dependencies'))
    )
    with op.batch_alter_table('dependencies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dependencies_after_id'), ['after_id'], unique=False)

    op.create_table('results',
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('item_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('token', sa.String(length=128), nullable=True),
    sa.Column('metrics', sa.JSON(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['item_id'], ['items.id'], name=op.f('fk_results_item_id_items')),
    sa.PrimaryKeyConstraint('address', name=op.f('pk_results'))
    )
    with op.batch_alter_table('artifacts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_artifacts_item_id'), ['item_id'], unique=False)

    with op.batch_alter_table('attempts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('items', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('seconds', sa.Double(), nullable=True))

    with op.batch_alter_table('items', schema=None) as batch_op:
        batch_op.add_column(sa.Column('address', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('attempts', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('crashes', sa.Integer(), nullable=False, server_default='0'))

    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('resume_to', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('deadline', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('reuse', sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column('cancelled', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('reused', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('uncut', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('first_size', sa.Integer(), nullable=False, server_default='1'))
        batch_op.add_column(sa.Column('largest_size', sa.Integer(), nullable=False, server_default='1'))
        batch_op.add_column(sa.Column('item_seconds', sa.Double(), nullable=True))
        batch_op.create_index(batch_op.f('ix_jobs_kind_dataset_number'), ['kind', 'dataset', 'number'], unique=False)

    with op.batch_alter_table('units', schema=None) as batch_op:
        batch_op.add_column(sa.Column('cost', sa.Double(), nullable=True))




def downgrade() -> None:

    with op.batch_alter_table('units', schema=None) as batch_op:
        batch_op.drop_column('cost')

    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_jobs_kind_dataset_number'))
        batch_op.drop_column('item_seconds')
        batch_op.drop_column('largest_size')
        batch_op.drop_column('first_size')
        batch_op.drop_column('uncut')
        batch_op.drop_column('reused')
        batch_op.drop_column('cancelled')
        batch_op.drop_column('reuse')
        batch_op.drop_column('deadline')
        batch_op.drop_column('resume_to')

    with op.batch_alter_table('items', schema=None) as batch_op:
        batch_op.drop_column('crashes')
        batch_op.drop_column('attempts')
        batch_op.drop_column('address')

    with op.batch_alter_table('attempts', schema=None) as batch_op:
        batch_op.drop_column('seconds')
        batch_op.drop_column('items')

    with op.batch_alter_table('artifacts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_artifacts_item_id'))

    op.drop_table('results')
    with op.batch_alter_table('dependencies', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dependencies_after_id'))

    op.drop_table('dependencies')

