"""An index for what nobody used for long: else the whole table is read each hour."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Writers wait while it is made: a large table has it already, made CONCURRENTLY by hand.
    op.create_index("sessions_longest_unused", "sessions", ["updated_at"], if_not_exists=True)


def downgrade() -> None:
    op.drop_index("sessions_longest_unused", "sessions")
