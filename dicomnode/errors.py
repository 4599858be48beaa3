"""Everything that the node itself can raise.

NodeError
├── SettingsError            a wrong key or value in the settings
├── ReceiveError             an instance that cannot be taken (receive/status.py gives each its DIMSE status)
│   ├── NotParsableError         not a data set, or cut short
│   ├── UidMismatchError         command and data set disagree
│   ├── MissingIdentifierError   a UID that every instance must have is absent
│   └── OutOfResourcesError      no room to keep it; a later try can help
├── LoadError                instances that are no volume, with the reason
│   ├── NotAVolumeError          localisers, single slices, mixed orientations, projections
│   ├── UndecodableError         a transfer syntax that nothing here decodes
│   └── UnreadableFileError      a file that is no image
├── MatchError               a plan that cannot be made
│   └── DifferentPatientsError   the series are not of one patient
├── EncodeError              a result that cannot be written as the object that it should be
├── MessageError             an HL7 message that cannot be carried out
├── BackupError              a backup that cannot be made or brought back
├── ExportError              what cannot be given away, or not there
└── PeerError                another node did not do its part; a later try can help
    ├── PeerUnreachableError     no association
    └── PeerRefusedError         association or instance refused
"""

from typing import ClassVar


class NodeError(Exception):
    """The node could not do what was asked."""

    retry_helps: ClassVar[bool] = False


class SettingsError(NodeError):
    """A setting is wrong."""


class ReceiveError(NodeError):
    """An instance could not be taken."""


class NotParsableError(ReceiveError):
    """The bytes are not a whole data set."""


class UidMismatchError(ReceiveError):
    """The data set's identifiers disagree with those of the command."""


class MissingIdentifierError(ReceiveError):
    """A UID that every instance must have is absent."""


class OutOfResourcesError(ReceiveError):
    """There is no room to keep the instance."""

    retry_helps = True


class LoadError(NodeError):
    """The instances could not be read as a volume."""


class NotAVolumeError(LoadError):
    """The instances do not make one volume."""


class UndecodableError(LoadError):
    """Nothing here decodes this transfer syntax."""


class UnreadableFileError(LoadError):
    """The file is no image."""


class MatchError(NodeError):
    """No plan can be made of these series."""


class DifferentPatientsError(MatchError):
    """The series are not of one patient."""


class EncodeError(NodeError):
    """The result cannot be written as the object that it should be."""


class MessageError(NodeError):
    """The message cannot be carried out as it is."""


class BackupError(NodeError):
    """A backup cannot be made or brought back."""


class ExportError(NodeError):
    """It cannot be exported."""


class PeerError(NodeError):
    """Another node did not do its part."""

    retry_helps = True


class PeerUnreachableError(PeerError):
    """No association could be made."""


class PeerRefusedError(PeerError):
    """The peer refused the association or the instance."""
