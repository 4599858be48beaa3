"""The ledger: what was received, what was decided, what is on its way. Run it before the node is started."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("patient_key", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("lease_token", sa.String(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_created_at"), "cases", ["created_at"], unique=False)
    op.create_index(op.f("ix_cases_state_created_at"), "cases", ["state", "created_at"], unique=False)
    op.create_index(
        "uq_cases_running_patient_key",
        "cases",
        ["patient_key"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "patients",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("folded_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("issuer", "patient_id", name=op.f("uq_patients_issuer_patient_id")),
    )
    op.create_index(op.f("ix_patients_folded_id"), "patients", ["folded_id"], unique=False)
    op.create_table(
        "case_events",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_state", sa.String(16), nullable=True),
        sa.Column("to_state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_case_events_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index(op.f("ix_case_events_case_id"), "case_events", ["case_id"], unique=False)
    op.create_table(
        "case_results",
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_case_results_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_results")),
    )
    op.create_table(
        "case_series",
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_case_series_case_id")),
        sa.PrimaryKeyConstraint("case_id", "series_instance_uid", name=op.f("pk_case_series")),
    )
    op.create_index(op.f("ix_case_series_series_instance_uid"), "case_series", ["series_instance_uid"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("series", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("refused", sa.JSON(), nullable=False),
        sa.Column("commitment_uid", sa.String(), nullable=False),
        sa.Column("commitment_deadline", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_deliveries_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "case_id",
            "destination",
            "series_instance_uid",
            name=op.f("uq_deliveries_case_id_destination_series_instance_uid"),
        ),
    )
    op.create_index(op.f("ix_deliveries_commitment_uid"), "deliveries", ["commitment_uid"], unique=False)
    op.create_index(
        op.f("ix_deliveries_state_next_attempt_at"), "deliveries", ["state", "next_attempt_at"], unique=False
    )
    op.create_table(
        "derived_objects",
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_derived_objects_case_id")),
        sa.PrimaryKeyConstraint("case_id", "digest", name=op.f("pk_derived_objects")),
    )
    op.create_index(op.f("ix_derived_objects_digest"), "derived_objects", ["digest"], unique=False)
    op.create_table(
        "studies",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("patient_row_id", ROW_ID, nullable=False),
        sa.Column("study_date", sa.String(), nullable=False),
        sa.Column("study_time", sa.String(), nullable=False),
        sa.Column("accession_number", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["patient_row_id"], ["patients.id"], name=op.f("fk_studies_patient_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("study_instance_uid", name=op.f("uq_studies_study_instance_uid")),
    )
    op.create_index(op.f("ix_studies_patient_row_id"), "studies", ["patient_row_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("study_row_id", ROW_ID, nullable=False),
        sa.Column("patient_row_id", ROW_ID, nullable=False),
        sa.Column("patient_name", sa.String(), nullable=False),
        sa.Column("patient_birth_date", sa.String(), nullable=False),
        sa.Column("patient_sex", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("sop_class_uid", sa.String(), nullable=False),
        sa.Column("frame_of_reference_uid", sa.String(), nullable=False),
        sa.Column("series_number", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("body_part", sa.String(), nullable=False),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("own_output", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("source_ae_title", sa.String(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("header_order", sa.String(), nullable=False),
        sa.Column("localiser_count", sa.Integer(), nullable=False),
        sa.Column("contradictions", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["patient_row_id"], ["patients.id"], name=op.f("fk_series_patient_row_id")),
        sa.ForeignKeyConstraint(["study_row_id"], ["studies.id"], name=op.f("fk_series_study_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("series_instance_uid", name=op.f("uq_series_series_instance_uid")),
    )
    op.create_index(op.f("ix_series_last_received_at"), "series", ["last_received_at"], unique=False)
    op.create_index(op.f("ix_series_patient_row_id"), "series", ["patient_row_id"], unique=False)
    op.create_index(op.f("ix_series_state_due_at"), "series", ["state", "due_at"], unique=False)
    op.create_index(op.f("ix_series_state_matched_at"), "series", ["state", "matched_at"], unique=False)
    op.create_index(op.f("ix_series_study_row_id"), "series", ["study_row_id"], unique=False)
    op.create_table(
        "instances",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("series_row_id", ROW_ID, nullable=False),
        sa.Column("sop_class_uid", sa.String(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("pixel_digest", sa.String(64), nullable=False),
        sa.Column("source_ae_title", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("instance_number", sa.BigInteger(), nullable=True),
        sa.Column("number_of_frames", sa.Integer(), nullable=False),
        sa.Column("position", sa.Double(), nullable=True),
        sa.Column("is_localiser", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["series_row_id"], ["series.id"], name=op.f("fk_instances_series_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_instances_sop_instance_uid")),
    )
    op.create_index(op.f("ix_instances_digest"), "instances", ["digest"], unique=False)
    op.create_index(op.f("ix_instances_series_row_id"), "instances", ["series_row_id"], unique=False)
    op.create_table(
        "set_aside",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("instance_row_id", ROW_ID, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("pixel_digest", sa.String(64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(), nullable=False),
        sa.Column("source_ae_title", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["instance_row_id"], ["instances.id"], name=op.f("fk_set_aside_instance_row_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sa.UniqueConstraint("instance_row_id", "digest", name=op.f("uq_set_aside_instance_row_id_digest")),
    )
    op.create_index(op.f("ix_set_aside_digest"), "set_aside", ["digest"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_set_aside_digest"), table_name="set_aside")
    op.drop_table("set_aside")
    op.drop_index(op.f("ix_instances_series_row_id"), table_name="instances")
    op.drop_index(op.f("ix_instances_digest"), table_name="instances")
    op.drop_table("instances")
    op.drop_index(op.f("ix_series_study_row_id"), table_name="series")
    op.drop_index(op.f("ix_series_state_matched_at"), table_name="series")
    op.drop_index(op.f("ix_series_state_due_at"), table_name="series")
    op.drop_index(op.f("ix_series_patient_row_id"), table_name="series")
    op.drop_index(op.f("ix_series_last_received_at"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_studies_patient_row_id"), table_name="studies")
    op.drop_table("studies")
    op.drop_index(op.f("ix_derived_objects_digest"), table_name="derived_objects")
    op.drop_table("derived_objects")
    op.drop_index(op.f("ix_deliveries_state_next_attempt_at"), table_name="deliveries")
    op.drop_index(op.f("ix_deliveries_commitment_uid"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_case_series_series_instance_uid"), table_name="case_series")
    op.drop_table("case_series")
    op.drop_table("case_results")
    op.drop_index(op.f("ix_case_events_case_id"), table_name="case_events")
    op.drop_table("case_events")
    op.drop_index(op.f("ix_patients_folded_id"), table_name="patients")
    op.drop_table("patients")
    op.drop_index(
        "uq_cases_running_patient_key",
        table_name="cases",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index(op.f("ix_cases_state_created_at"), table_name="cases")
    op.drop_index(op.f("ix_cases_created_at"), table_name="cases")
    op.drop_table("cases")
