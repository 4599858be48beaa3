"""What DICOMweb answers consist of (PS3.18), without HTTP: queries, headers as JSON, frames, pictures, parts."""
