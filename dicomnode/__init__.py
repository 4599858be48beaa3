"""A DICOM node that pairs, registers and fuses CT, MR, PET and SPECT series and answers with derived series."""
