"""What the patient administration says: HL7 v2 ADT over MLLP, applied to whose images the node holds."""
