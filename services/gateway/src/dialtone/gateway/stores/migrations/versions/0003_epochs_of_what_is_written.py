"""The epochs of configurations, items and removals: which of two writes is the later one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("config_epoch", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("items", sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "removed_items",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "session_id"], ["sessions.tenant", "sessions.id"], ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("removed_items")
    op.drop_column("items", "epoch")
    op.drop_column("sessions", "config_epoch")
