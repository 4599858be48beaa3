"""The mathematics: torch in, torch out. No DICOM, no files, no database, no network."""
