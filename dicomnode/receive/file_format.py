"""The DICOM file around a data set that was received (PS3.10 chapter 7)."""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from storage.records import ReceivedInstance

from ..settings import OWN_IMPLEMENTATION_UID

PREAMBLE = bytes(128) + b"DICM"


def part10_file(received: ReceivedInstance) -> bytes:
    """Preamble, file meta information, and the data set exactly as sent.

    The meta information follows from class, instance and transfer syntax alone (no AE title, no version), so that
    the same data set is the same file whoever sends it, and whichever release of the node keeps it.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # written as it turns out
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(received.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(received.sop_instance_uid)
    meta.TransferSyntaxUID = UID(received.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(OWN_IMPLEMENTATION_UID)
    encoded = DicomBytesIO()
    write_file_meta_info(encoded, meta, enforce_standard=False)
    return b"".join((PREAMBLE, encoded.getvalue(), received.dataset))
