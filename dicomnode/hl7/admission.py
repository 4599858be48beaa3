"""Admission ID of a series, which the ledger does not keep: read from one of its images when a move asks for it."""

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from storage.catalogue import Catalogue
from storage.errors import UnknownRecordError
from storage.objects import ObjectStore
from storage.records import SeriesRecord


def admission_id(catalogue: Catalogue, store: ObjectStore, series: SeriesRecord) -> str:
    """(0038,0010) of the first instance; empty where it has none or is not here any more."""
    instances = catalogue.instances(series.series_instance_uid)
    if not instances:
        return ""
    try:
        header = dcmread(store.path(instances[0].stored.digest), specific_tags=["AdmissionID"], stop_before_pixels=True)
    except (UnknownRecordError, InvalidDicomError, OSError):
        return ""
    return str(header.get("AdmissionID") or "")
