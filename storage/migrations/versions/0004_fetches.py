"""Partner studies that the node asks for, and the series that come of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004_fetches"
down_revision = "0003_set_aside"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    text = ("rule", "modality", "peer", "for_series_uid")
    patient = ("patient_id", "issuer", "patient_name", "patient_birth_date", "patient_sex")
    op.create_table(
        "fetches",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("wish", sa.String(64), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in (*text, *patient)),
        sa.Column("earliest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetches")),
        sa.UniqueConstraint("wish", name=op.f("uq_fetches_wish")),
    )
    op.create_index(op.f("ix_fetches_state_next_attempt_at"), "fetches", ["state", "next_attempt_at"])
    op.create_table(
        "fetched_series",
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("fetch_id", ROW_ID, nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["fetch_id"], ["fetches.id"], name=op.f("fk_fetched_series_fetch_id")),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_fetched_series")),
    )
    op.create_index(op.f("ix_fetched_series_asked_at"), "fetched_series", ["asked_at"])
    op.create_index(op.f("ix_fetched_series_fetch_id"), "fetched_series", ["fetch_id"])
    op.create_index(op.f("ix_deliveries_series_instance_uid"), "deliveries", ["series_instance_uid"])


def downgrade() -> None:
    op.drop_index(op.f("ix_deliveries_series_instance_uid"), table_name="deliveries")
    op.drop_table("fetched_series")
    op.drop_index(op.f("ix_fetches_state_next_attempt_at"), table_name="fetches")
    op.drop_table("fetches")
