"""Decides which series belong together and what is to be done with them. Pure functions over records of storage."""

from .check import check_pair
from .completeness import Completeness, Evidence, Said, completeness, evidence
from .identity import IdentityVerdict, Sameness, patient_key, same_patient, telling_birth_date
from .pairing import GroupName, group_name
from .plan import MatchDecision, Matching, explain, match, plan_for

__all__ = [
    "Completeness",
    "Evidence",
    "GroupName",
    "IdentityVerdict",
    "MatchDecision",
    "Matching",
    "Said",
    "Sameness",
    "check_pair",
    "completeness",
    "evidence",
    "explain",
    "group_name",
    "match",
    "patient_key",
    "plan_for",
    "same_patient",
    "telling_birth_date",
]
