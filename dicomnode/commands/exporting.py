"""`export`: cases for research, de-identified."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import CorruptObjectError
from storage.objects import ObjectStore
from storage.records import CaseRecord, DerivedSeries, SeriesChoice

from ..errors import SettingsError
from ..export.formats import Dates, ImageFormat
from .terminal import Config, Json, ledger_of, out, settings_from, steps, warn, write_json


def export(
    case_ids: Annotated[list[str], typer.Argument(metavar="CASE…", help="Cases, or the first characters of a name.")],
    folder: Annotated[Path, typer.Option("--out", help="Where they go: a folder for each patient and case.")],
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="By PS3.15 Annex E. Nothing is exported without it.")
    ] = False,
    image_format: Annotated[ImageFormat, typer.Option("--format", help="Images as they are, NIfTI, or both.")] = (
        ImageFormat.DICOM
    ),
    dates: Annotated[
        Dates, typer.Option("--dates", help="Remove dates, or shift those of a patient by one number of days.")
    ] = Dates.REMOVE,
    keep_characteristics: Annotated[
        bool, typer.Option("--keep-characteristics", help="Keep sex, age, size and weight; SUV needs the weight.")
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="A file with the secret behind pseudonyms, made if absent; same key, same names."),
    ] = None,
    actor: Annotated[str, typer.Option("--as", help="Who exports; the account's name unless given.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Write cases for research: inputs, results and transforms, with nobody's name on them."""
    if not deidentify:
        raise SettingsError("say --deidentify: cases leave the node without names only; `send` gives them to a PACS")
    from ..export.cases import export_case
    from ..export.deidentify import Deidentifier
    from ..export.pseudonyms import Pseudonyms
    from ..export.secret import read_or_make_secret

    settings = settings_from(config)
    database = ledger_of(settings)
    cases, catalogue = Cases(database), Catalogue(database)
    store = ObjectStore(settings.storage.path / "objects", settings.storage.reserve_bytes)
    remove_names = Deidentifier(Pseudonyms(read_or_make_secret(key)), dates, keep_characteristics)

    def files_of(series: SeriesChoice | DerivedSeries) -> Sequence[Path]:
        return [_checked(store, digest) for digest in _digests(series, catalogue)]

    written = []
    with steps() as progress:
        for record in [cases.get(case_id) for case_id in case_ids]:
            done = export_case(record, files_of, remove_names, image_format, folder, progress)
            _note(cases, record, actor or getpass.getuser(), image_format)
            written.append(done)
    if json:
        write_json({"cases": [asdict(one) for one in written]})
        return
    for one in written:
        out.print(f"{one.folder}: {one.files} files", highlight=False, markup=False)
        for sentence in one.left_out:
            warn(f"left out: {sentence}")


def _digests(series: SeriesChoice | DerivedSeries, catalogue: Catalogue) -> Sequence[str]:
    if isinstance(series, DerivedSeries):
        return [instance.stored.digest for instance in series.instances]
    wanted = set(series.sop_instance_uids)
    instances = catalogue.instances(series.series_instance_uid)
    return [each.stored.digest for each in instances if each.sop_instance_uid in wanted]


def _checked(store: ObjectStore, digest: str) -> Path:
    if not store.verify(digest):
        raise CorruptObjectError(f"the object {digest} is damaged on disk; restore it from a backup, then export again")
    return store.path(digest)


def _note(cases: Cases, record: CaseRecord, actor: str, image_format: ImageFormat) -> None:
    cases.note(record.case_id, f"exported without names as {image_format.value}", actor)
