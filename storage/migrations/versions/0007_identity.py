"""Series in quarantine, and whose images they are when a patient was merged or a study was moved."""

import sqlalchemy as sa
from alembic import op

revision = "0007_identity"
down_revision = "0006_notes"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("series", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("series", sa.Column("held_for", sa.JSON(), nullable=True))
    op.add_column("series", sa.Column("accepted", sa.JSON(), nullable=True))
    op.add_column("series", sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "identity_changes",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("folded_id", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("patient", sa.JSON(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_changes")),
    )
    op.create_index(
        op.f("ix_identity_changes_folded_id_issuer"), "identity_changes", ["folded_id", "issuer"], unique=False
    )
    op.create_index(
        op.f("ix_identity_changes_study_instance_uid"), "identity_changes", ["study_instance_uid"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_identity_changes_study_instance_uid"), table_name="identity_changes")
    op.drop_index(op.f("ix_identity_changes_folded_id_issuer"), table_name="identity_changes")
    op.drop_table("identity_changes")
    op.drop_column("series", "corrected_at")
    op.drop_column("series", "accepted")
    op.drop_column("series", "held_for")
    op.drop_column("series", "held_at")
