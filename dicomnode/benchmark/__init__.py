"""What `dicomnode benchmark` runs."""
