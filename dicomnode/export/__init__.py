"""What leaves the hospital's care: cases as de-identified DICOM or NIfTI, for research.

Nothing is imported here: the command line needs the names of the formats and not the engines.
"""
