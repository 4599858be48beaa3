"""Which open matters people have been told of."""

import sqlalchemy as sa
from alembic import op

revision = "0009_notices"
down_revision = "0008_announcements"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("channel", "kind", "subject", name=op.f("uq_notices_channel_kind_subject")),
    )


def downgrade() -> None:
    op.drop_table("notices")
