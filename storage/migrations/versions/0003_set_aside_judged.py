"""What was set aside is compared with what is in use, and a person chooses between them. Run before the node starts."""

import sqlalchemy as sa
from alembic import op

revision = "0003_set_aside"
down_revision = "0002_commitments"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("set_aside", sa.Column("differences", sa.JSON(), nullable=True))
    op.add_column("instances", sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "interventions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
    )
    op.create_index(op.f("ix_interventions_subject"), "interventions", ["subject"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_interventions_subject"), table_name="interventions")
    op.drop_table("interventions")
    op.drop_column("instances", "chosen_at")
    op.drop_column("set_aside", "differences")
