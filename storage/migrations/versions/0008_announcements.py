"""What modalities and archives said is to come or is there: procedure steps and availability notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0008_announcements"
down_revision = "0007_identity"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "procedure_steps",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("source_ae_title", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure_steps")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_procedure_steps_sop_instance_uid")),
    )
    op.create_index(
        op.f("ix_procedure_steps_study_instance_uid_state"),
        "procedure_steps",
        ["study_instance_uid", "state"],
        unique=False,
    )
    op.create_table(
        "announced_series",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("notice_uid", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("sop_instance_uids", sa.JSON(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("source_ae_title", sa.String(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announced_series")),
        sa.UniqueConstraint(
            "notice_uid", "series_instance_uid", name=op.f("uq_announced_series_notice_uid_series_instance_uid")
        ),
    )
    op.create_index(
        op.f("ix_announced_series_series_instance_uid"), "announced_series", ["series_instance_uid"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_announced_series_series_instance_uid"), table_name="announced_series")
    op.drop_table("announced_series")
    op.drop_index(op.f("ix_procedure_steps_study_instance_uid_state"), table_name="procedure_steps")
    op.drop_table("procedure_steps")
