"""schedules

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('ticks',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('holder', sa.String(length=128), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_ticks'))
    )
    op.create_table('schedules',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('owner', sa.String(length=128), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('dataset', sa.String(length=64), nullable=False),
    sa.Column('parameters', sa.JSON(), nullable=False),
    sa.Column('input_id', sa.String(length=64), nullable=False),
    sa.Column('at', sa.String(length=64), nullable=False),
    sa.Column('label', sa.String(length=200), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('reuse', sa.Boolean(), nullable=False),
    sa.Column('notify', sa.JSON(), nullable=False),
    sa.Column('cron', sa.String(length=100), nullable=True),
    sa.Column('zone', sa.String(length=64), nullable=False),
    sa.Column('every_seconds', sa.Integer(), nullable=True),
    sa.Column('jitter_seconds', sa.Integer(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('overlap', sa.String(length=16), nullable=False),
    sa.Column('catch_up', sa.String(length=8), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_slot', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_slot', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error_code', sa.String(length=64), nullable=True),
    sa.Column('error_message', sa.Text(), nullable=True),
    sa.Column('idempotency_key', sa.String(length=255), nullable=True),
    sa.Column('body_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('(cron IS NULL) <> (every_seconds IS NULL)', name=op.f('ck_schedules_one_timetable')),
    sa.ForeignKeyConstraint(['input_id'], ['inputs.id'], name=op.f('fk_schedules_input_id_inputs')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_schedules')),
    sa.UniqueConstraint('id', name=op.f('uq_schedules_id')),
    sa.UniqueConstraint('owner', 'idempotency_key', name=op.f('uq_schedules_owner_idempotency_key')),
    sa.UniqueConstraint('owner', 'name', name=op.f('uq_schedules_owner_name'))
    )
    with op.batch_alter_table('schedules', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_schedules_next_at'), ['next_at'], unique=False)

    op.create_table('schedule_skips',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('schedule_id', sa.String(length=32), nullable=False),
    sa.Column('slot', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_slot', sa.DateTime(timezone=True), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=16), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['schedule_id'], ['schedules.id'], name=op.f('fk_schedule_skips_schedule_id_schedules'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_schedule_skips')),
    sa.UniqueConstraint('schedule_id', 'slot', name=op.f('uq_schedule_skips_schedule_id_slot'))
    )
    with op.batch_alter_table('dependencies', schema=None) as batch_op:
        batch_op.add_column(sa.Column('needed', sa.Boolean(), nullable=False, server_default=sa.true()))

    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('schedule_id', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('slot', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('uq_jobs_schedule_id_slot', ['schedule_id', 'slot'], unique=True)



def downgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_index('uq_jobs_schedule_id_slot')
        batch_op.drop_column('slot')
        batch_op.drop_column('schedule_id')

    with op.batch_alter_table('dependencies', schema=None) as batch_op:
        batch_op.drop_column('needed')

    op.drop_table('schedule_skips')
    with op.batch_alter_table('schedules', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_schedules_next_at'))

    op.drop_table('schedules')
    op.drop_table('ticks')
