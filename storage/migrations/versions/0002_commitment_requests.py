"""What peers asked the node to answer for, and what it has promised to keep."""

import sqlalchemy as sa
from alembic import op

revision = "0002_commitments"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "commitment_requests",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("transaction_uid", sa.String(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("failed", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_requests")),
        sa.UniqueConstraint("peer", "transaction_uid", name=op.f("uq_commitment_requests_peer_transaction_uid")),
    )
    op.create_index(
        op.f("ix_commitment_requests_state_next_attempt_at"), "commitment_requests", ["state", "next_attempt_at"]
    )
    op.create_table(
        "promises",
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("promised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_promises")),
    )


def downgrade() -> None:
    op.drop_table("promises")
    op.drop_index(op.f("ix_commitment_requests_state_next_attempt_at"), table_name="commitment_requests")
    op.drop_table("commitment_requests")
