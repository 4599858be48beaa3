"""Headers of images whose patient was corrected after they had come: what is made of them names the right one."""

import copy
from collections.abc import Sequence

from pydicom import Dataset

from storage.records import PatientIdentity

OF_THE_FORMER = (
    *("OtherPatientIDsSequence", "OtherPatientIDs", "OtherPatientNames", "TypeOfPatientID"),
    *("IssuerOfPatientIDQualifiersSequence", "PatientBirthTime", "PatientBirthName", "PatientMotherBirthName"),
)
"""What else may name who it was not."""


def with_patient(headers: Sequence[Dataset], patient: PatientIdentity) -> tuple[Dataset, ...]:
    """Copies of the headers that name `patient`; what is not known of it is empty."""
    return tuple(_one(header, patient) for header in headers)


def _one(header: Dataset, patient: PatientIdentity) -> Dataset:
    named = copy.deepcopy(header)
    for keyword in OF_THE_FORMER:
        named.pop(keyword, None)
    if not all(text.isascii() for text in (patient.name, patient.patient_id, patient.issuer)):
        for element in list(named):  # decoded in the former character set before that is changed
            named[element.tag] = element
        named.SpecificCharacterSet = "ISO_IR 192"
    named.PatientID, named.IssuerOfPatientID = patient.patient_id, patient.issuer
    named.PatientName, named.PatientBirthDate, named.PatientSex = patient.name, patient.birth_date, patient.sex
    return named
