"""What goes out, as the audit tells it: study, patient, and how many instances of which class."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from storage.records import Delivery

from ..observe.audit_message import Transfer


def transfer_of(delivery: Delivery, files: Sequence[Path]) -> Transfer:
    """`files` are of the delivery, by the digests that are their names. The patient is whom the first file names."""
    classes = {instance.stored.digest: instance.sop_class_uid for instance in delivery.series.instances}
    counted = Counter(classes[path.name] for path in files if path.name in classes)
    return Transfer(delivery.series.study_instance_uid, _patient_id(files), counted)


def _patient_id(files: Sequence[Path]) -> str:
    try:
        return str(dcmread(files[0], specific_tags=["PatientID"], stop_before_pixels=True).get("PatientID", ""))
    except (OSError, InvalidDicomError, IndexError):
        return ""
