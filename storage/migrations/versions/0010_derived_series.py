"""Derived series and their instances as rows, so that a viewer's question finds them; what there was is entered."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010_derived_series"
down_revision = "0009_notices"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    series = op.create_table(
        "derived_series",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("series_instance_uid", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name=op.f("fk_derived_series_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derived_series")),
        sa.UniqueConstraint(
            "case_id", "series_instance_uid", name=op.f("uq_derived_series_case_id_series_instance_uid")
        ),
    )
    for column in ("series_instance_uid", "study_instance_uid"):
        op.create_index(op.f(f"ix_derived_series_{column}"), "derived_series", [column], unique=False)
    instances = op.create_table(
        "derived_instances",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("series_row_id", ROW_ID, nullable=False),
        sa.Column("sop_instance_uid", sa.String(), nullable=False),
        sa.Column("sop_class_uid", sa.String(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("instance_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_row_id"], ["derived_series.id"], name=op.f("fk_derived_instances_series_row_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derived_instances")),
    )
    for column in ("series_row_id", "sop_instance_uid"):
        op.create_index(op.f(f"ix_derived_instances_{column}"), "derived_instances", [column], unique=False)
    for column in ("study_date", "accession_number"):
        op.create_index(op.f(f"ix_studies_{column}"), "studies", [column], unique=False)
    _enter(series, instances)


def downgrade() -> None:
    for column in ("study_date", "accession_number"):
        op.drop_index(op.f(f"ix_studies_{column}"), table_name="studies")
    op.drop_table("derived_instances")
    op.drop_table("derived_series")


def _enter(series: sa.Table, instances: sa.Table) -> None:
    connection = op.get_bind()
    results = connection.execute(sa.text("SELECT case_id, result FROM case_results")).all()
    for case_id, result in results:
        derived = (json.loads(result) if isinstance(result, str) else result)["derived"]
        for one in {item["series_instance_uid"]: item for item in derived}.values():
            row = connection.execute(
                series.insert()
                .values(
                    case_id=case_id,
                    series_instance_uid=one["series_instance_uid"],
                    study_instance_uid=one["study_instance_uid"],
                    modality=one["modality"],
                    description=one["description"],
                    instance_count=len(one["instances"]),
                )
                .returning(series.c.id)
            ).scalar_one()
            for number, instance in enumerate(one["instances"], 1):
                connection.execute(
                    instances.insert().values(
                        series_row_id=row,
                        sop_instance_uid=instance["sop_instance_uid"],
                        sop_class_uid=instance["sop_class_uid"],
                        transfer_syntax_uid=instance["transfer_syntax_uid"],
                        digest=instance["digest"],
                        size_bytes=instance["size_bytes"],
                        instance_number=number,
                    )
                )
