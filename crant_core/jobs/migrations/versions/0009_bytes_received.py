"""bytes that attempts received

Rules: the previous release must keep working on the new schema (add first, remove in a later release); no data is
dropped; large tables are changed in batches; the migration runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    op.add_column('attempts', sa.Column('received', number, nullable=True))


def downgrade() -> None:
    op.drop_column('attempts', 'received')
