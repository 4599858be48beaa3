"""From results to DICOM objects."""
