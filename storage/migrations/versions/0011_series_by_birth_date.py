"""Series by the birth date of their patient: to find them under another ID."""

from alembic import op

revision = "0011_birth_dates"
down_revision = "0010_derived_series"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_series_patient_birth_date"), "series", ["patient_birth_date"])


def downgrade() -> None:
    op.drop_index(op.f("ix_series_patient_birth_date"), table_name="series")
