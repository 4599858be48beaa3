"""An instance as the bytes of a DICOM file (PS3.10)."""

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite


def file_bytes(instance: Dataset) -> bytes:
    """The file: preamble, file meta and data set in the transfer syntax that the file meta names."""
    buffer = BytesIO()
    dcmwrite(buffer, instance, enforce_file_format=True)
    return buffer.getvalue()
