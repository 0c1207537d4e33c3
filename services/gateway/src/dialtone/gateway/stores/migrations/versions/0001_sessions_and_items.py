"""Sessions and their items."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
    )
    op.create_index("sessions_newest_first", "sessions", ["tenant", "created_at", "id"])
    op.create_table(
        "items",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("item", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "session_id"], ["sessions.tenant", "sessions.id"], ondelete="CASCADE"
        ),
    )
    op.create_index("items_in_order", "items", ["tenant", "session_id", "position"])


def downgrade() -> None:
    op.drop_table("items")
    op.drop_table("sessions")
