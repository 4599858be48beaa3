"""Results that were taken back: for what reason, what replaced them, and the notes that say so to the peers."""

import sqlalchemy as sa
from alembic import op

revision = "0006_notes"
down_revision = "people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("replaced_by", sa.String(64), nullable=True))
    op.add_column("cases", sa.Column("rejection", sa.String(16), nullable=True))
    op.add_column("cases", sa.Column("noted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_cases_rejection_noted_at"), "cases", ["rejection", "noted_at"], unique=False)
    op.create_index(op.f("ix_cases_replaced_by"), "cases", ["replaced_by"], unique=False)
    op.add_column("deliveries", sa.Column("is_note", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("deliveries", "is_note")
    op.drop_index(op.f("ix_cases_replaced_by"), table_name="cases")
    op.drop_index(op.f("ix_cases_rejection_noted_at"), table_name="cases")
    op.drop_column("cases", "noted_at")
    op.drop_column("cases", "rejection")
    op.drop_column("cases", "replaced_by")
