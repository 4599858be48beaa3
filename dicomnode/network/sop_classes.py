"""The storage SOP classes and transfer syntaxes that the node takes, as plain tables.

The presentation contexts and the conformance statement are made from these. PS3.4 Table B.5-1, PS3.6 Table A-1.
"""

from typing import NamedTuple


class NamedUid(NamedTuple):
    """A UID with the name that PS3.6 gives it."""

    name: str
    uid: str


VERIFICATION = NamedUid("Verification SOP Class", "1.2.840.10008.1.1")

STORAGE_CLASSES: tuple[NamedUid, ...] = (
    # CT, MR, PET, NM
    NamedUid("CT Image Storage", "1.2.840.10008.5.1.4.1.1.2"),
    NamedUid("Enhanced CT Image Storage", "1.2.840.10008.5.1.4.1.1.2.1"),
    NamedUid("Legacy Converted Enhanced CT Image Storage", "1.2.840.10008.5.1.4.1.1.2.2"),
    NamedUid("MR Image Storage", "1.2.840.10008.5.1.4.1.1.4"),
    NamedUid("Enhanced MR Image Storage", "1.2.840.10008.5.1.4.1.1.4.1"),
    NamedUid("MR Spectroscopy Storage", "1.2.840.10008.5.1.4.1.1.4.2"),
    NamedUid("Enhanced MR Color Image Storage", "1.2.840.10008.5.1.4.1.1.4.3"),
    NamedUid("Legacy Converted Enhanced MR Image Storage", "1.2.840.10008.5.1.4.1.1.4.4"),
    NamedUid("Positron Emission Tomography Image Storage", "1.2.840.10008.5.1.4.1.1.128"),
    NamedUid("Legacy Converted Enhanced PET Image Storage", "1.2.840.10008.5.1.4.1.1.128.1"),
    NamedUid("Enhanced PET Image Storage", "1.2.840.10008.5.1.4.1.1.130"),
    NamedUid("Nuclear Medicine Image Storage", "1.2.840.10008.5.1.4.1.1.20"),
    # Secondary capture
    NamedUid("Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7"),
    NamedUid("Multi-frame Single Bit Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7.1"),
    NamedUid("Multi-frame Grayscale Byte Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7.2"),
    NamedUid("Multi-frame Grayscale Word Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7.3"),
    NamedUid("Multi-frame True Color Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7.4"),
    # Parametric maps, registrations, segmentations
    NamedUid("Parametric Map Storage", "1.2.840.10008.5.1.4.1.1.30"),
    NamedUid("Raw Data Storage", "1.2.840.10008.5.1.4.1.1.66"),
    NamedUid("Spatial Registration Storage", "1.2.840.10008.5.1.4.1.1.66.1"),
    NamedUid("Spatial Fiducials Storage", "1.2.840.10008.5.1.4.1.1.66.2"),
    NamedUid("Deformable Spatial Registration Storage", "1.2.840.10008.5.1.4.1.1.66.3"),
    NamedUid("Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.4"),
    NamedUid("Surface Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.5"),
    NamedUid("Tractography Results Storage", "1.2.840.10008.5.1.4.1.1.66.6"),
    NamedUid("Label Map Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.7"),
    NamedUid("Height Map Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.8"),
    NamedUid("Real World Value Mapping Storage", "1.2.840.10008.5.1.4.1.1.67"),
    # Presentation states
    NamedUid("Grayscale Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.1"),
    NamedUid("Color Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.2"),
    NamedUid("Pseudo-Color Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.3"),
    NamedUid("Blending Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.4"),
    NamedUid("XA/XRF Grayscale Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.5"),
    NamedUid("Grayscale Planar MPR Volumetric Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.6"),
    NamedUid("Compositing Planar MPR Volumetric Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.7"),
    NamedUid("Advanced Blending Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.8"),
    NamedUid("Volume Rendering Volumetric Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.9"),
    NamedUid("Segmented Volume Rendering Volumetric Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.10"),
    NamedUid("Multiple Volume Rendering Volumetric Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.11"),
    NamedUid("Variable Modality LUT Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.12"),
    # Structured reports and key objects
    NamedUid("Basic Text SR Storage", "1.2.840.10008.5.1.4.1.1.88.11"),
    NamedUid("Enhanced SR Storage", "1.2.840.10008.5.1.4.1.1.88.22"),
    NamedUid("Comprehensive SR Storage", "1.2.840.10008.5.1.4.1.1.88.33"),
    NamedUid("Comprehensive 3D SR Storage", "1.2.840.10008.5.1.4.1.1.88.34"),
    NamedUid("Extensible SR Storage", "1.2.840.10008.5.1.4.1.1.88.35"),
    NamedUid("Procedure Log Storage", "1.2.840.10008.5.1.4.1.1.88.40"),
    NamedUid("Mammography CAD SR Storage", "1.2.840.10008.5.1.4.1.1.88.50"),
    NamedUid("Key Object Selection Document Storage", "1.2.840.10008.5.1.4.1.1.88.59"),
    NamedUid("Chest CAD SR Storage", "1.2.840.10008.5.1.4.1.1.88.65"),
    NamedUid("X-Ray Radiation Dose SR Storage", "1.2.840.10008.5.1.4.1.1.88.67"),
    NamedUid("Radiopharmaceutical Radiation Dose SR Storage", "1.2.840.10008.5.1.4.1.1.88.68"),
    NamedUid("Colon CAD SR Storage", "1.2.840.10008.5.1.4.1.1.88.69"),
    NamedUid("Implantation Plan SR Storage", "1.2.840.10008.5.1.4.1.1.88.70"),
    NamedUid("Acquisition Context SR Storage", "1.2.840.10008.5.1.4.1.1.88.71"),
    NamedUid("Simplified Adult Echo SR Storage", "1.2.840.10008.5.1.4.1.1.88.72"),
    NamedUid("Patient Radiation Dose SR Storage", "1.2.840.10008.5.1.4.1.1.88.73"),
    NamedUid("Planned Imaging Agent Administration SR Storage", "1.2.840.10008.5.1.4.1.1.88.74"),
    NamedUid("Performed Imaging Agent Administration SR Storage", "1.2.840.10008.5.1.4.1.1.88.75"),
    NamedUid("Enhanced X-Ray Radiation Dose SR Storage", "1.2.840.10008.5.1.4.1.1.88.76"),
    NamedUid("Waveform Annotation SR Storage", "1.2.840.10008.5.1.4.1.1.88.77"),
    # Encapsulated documents
    NamedUid("Encapsulated PDF Storage", "1.2.840.10008.5.1.4.1.1.104.1"),
    NamedUid("Encapsulated CDA Storage", "1.2.840.10008.5.1.4.1.1.104.2"),
    NamedUid("Encapsulated STL Storage", "1.2.840.10008.5.1.4.1.1.104.3"),
    NamedUid("Encapsulated OBJ Storage", "1.2.840.10008.5.1.4.1.1.104.4"),
    NamedUid("Encapsulated MTL Storage", "1.2.840.10008.5.1.4.1.1.104.5"),
    # Radiotherapy
    NamedUid("RT Image Storage", "1.2.840.10008.5.1.4.1.1.481.1"),
    NamedUid("RT Dose Storage", "1.2.840.10008.5.1.4.1.1.481.2"),
    NamedUid("RT Structure Set Storage", "1.2.840.10008.5.1.4.1.1.481.3"),
    NamedUid("RT Beams Treatment Record Storage", "1.2.840.10008.5.1.4.1.1.481.4"),
    NamedUid("RT Plan Storage", "1.2.840.10008.5.1.4.1.1.481.5"),
    NamedUid("RT Brachy Treatment Record Storage", "1.2.840.10008.5.1.4.1.1.481.6"),
    NamedUid("RT Treatment Summary Record Storage", "1.2.840.10008.5.1.4.1.1.481.7"),
    NamedUid("RT Ion Plan Storage", "1.2.840.10008.5.1.4.1.1.481.8"),
    NamedUid("RT Ion Beams Treatment Record Storage", "1.2.840.10008.5.1.4.1.1.481.9"),
    NamedUid("RT Physician Intent Storage", "1.2.840.10008.5.1.4.1.1.481.10"),
    NamedUid("RT Segment Annotation Storage", "1.2.840.10008.5.1.4.1.1.481.11"),
    NamedUid("RT Radiation Set Storage", "1.2.840.10008.5.1.4.1.1.481.12"),
    NamedUid("C-Arm Photon-Electron Radiation Storage", "1.2.840.10008.5.1.4.1.1.481.13"),
    NamedUid("Tomotherapeutic Radiation Storage", "1.2.840.10008.5.1.4.1.1.481.14"),
    NamedUid("Robotic-Arm Radiation Storage", "1.2.840.10008.5.1.4.1.1.481.15"),
    NamedUid("RT Radiation Record Set Storage", "1.2.840.10008.5.1.4.1.1.481.16"),
    NamedUid("RT Radiation Salvage Record Storage", "1.2.840.10008.5.1.4.1.1.481.17"),
    NamedUid("Tomotherapeutic Radiation Record Storage", "1.2.840.10008.5.1.4.1.1.481.18"),
    NamedUid("C-Arm Photon-Electron Radiation Record Storage", "1.2.840.10008.5.1.4.1.1.481.19"),
    NamedUid("Robotic Radiation Record Storage", "1.2.840.10008.5.1.4.1.1.481.20"),
    NamedUid("RT Radiation Set Delivery Instruction Storage", "1.2.840.10008.5.1.4.1.1.481.21"),
    NamedUid("RT Treatment Preparation Storage", "1.2.840.10008.5.1.4.1.1.481.22"),
    NamedUid("Enhanced RT Image Storage", "1.2.840.10008.5.1.4.1.1.481.23"),
    NamedUid("Enhanced Continuous RT Image Storage", "1.2.840.10008.5.1.4.1.1.481.24"),
    NamedUid("RT Patient Position Acquisition Instruction Storage", "1.2.840.10008.5.1.4.1.1.481.25"),
    NamedUid("RT Beams Delivery Instruction Storage", "1.2.840.10008.5.1.4.34.7"),
    NamedUid("RT Brachy Application Setup Delivery Instruction Storage", "1.2.840.10008.5.1.4.34.10"),
)

IMAGE_CLASSES: frozenset[str] = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in (
        *("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130", "20"),
        *("7", "7.1", "7.2", "7.3", "7.4", "30", "66.4", "66.7", "66.8", "481.1", "481.23", "481.24"),
    )
)
"""The classes whose instances are images: one of them without pixel data was cut short. RT Dose may go without."""

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"

TRANSFER_SYNTAXES: tuple[NamedUid, ...] = (
    # The first one here that a presentation context proposes is taken: uncompressed, then lossless, then lossy.
    NamedUid("Explicit VR Little Endian", EXPLICIT_VR_LITTLE_ENDIAN),
    NamedUid("Implicit VR Little Endian", IMPLICIT_VR_LITTLE_ENDIAN),
    NamedUid("Explicit VR Big Endian", EXPLICIT_VR_BIG_ENDIAN),
    NamedUid("Deflated Explicit VR Little Endian", "1.2.840.10008.1.2.1.99"),
    NamedUid("Encapsulated Uncompressed Explicit VR Little Endian", "1.2.840.10008.1.2.1.98"),
    NamedUid("JPEG Lossless, First-Order Prediction (Process 14, Selection Value 1)", "1.2.840.10008.1.2.4.70"),
    NamedUid("JPEG Lossless (Process 14)", "1.2.840.10008.1.2.4.57"),
    NamedUid("JPEG Lossless (Process 15)", "1.2.840.10008.1.2.4.58"),
    NamedUid("JPEG-LS Lossless", "1.2.840.10008.1.2.4.80"),
    NamedUid("JPEG 2000 (Lossless Only)", "1.2.840.10008.1.2.4.90"),
    NamedUid("JPEG 2000 Part 2 Multi-component (Lossless Only)", "1.2.840.10008.1.2.4.92"),
    NamedUid("High-Throughput JPEG 2000 (Lossless Only)", "1.2.840.10008.1.2.4.201"),
    NamedUid("High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", "1.2.840.10008.1.2.4.202"),
    NamedUid("JPEG XL Lossless", "1.2.840.10008.1.2.4.110"),
    NamedUid("RLE Lossless", "1.2.840.10008.1.2.5"),
    NamedUid("Deflated Image Frame Compression", "1.2.840.10008.1.2.8.1"),
    NamedUid("JPEG Baseline (Process 1)", "1.2.840.10008.1.2.4.50"),
    NamedUid("JPEG Extended (Process 2 and 4)", "1.2.840.10008.1.2.4.51"),
    NamedUid("JPEG-LS Near-Lossless", "1.2.840.10008.1.2.4.81"),
    NamedUid("JPEG 2000", "1.2.840.10008.1.2.4.91"),
    NamedUid("JPEG 2000 Part 2 Multi-component", "1.2.840.10008.1.2.4.93"),
    NamedUid("High-Throughput JPEG 2000", "1.2.840.10008.1.2.4.203"),
    NamedUid("JPEG XL JPEG Recompression", "1.2.840.10008.1.2.4.111"),
    NamedUid("JPEG XL", "1.2.840.10008.1.2.4.112"),
    # Retired JPEG processes, still found in archives
    NamedUid("JPEG Extended (Process 3 and 5)", "1.2.840.10008.1.2.4.52"),
    NamedUid("JPEG Spectral Selection (Process 6 and 8)", "1.2.840.10008.1.2.4.53"),
    NamedUid("JPEG Spectral Selection (Process 7 and 9)", "1.2.840.10008.1.2.4.54"),
    NamedUid("JPEG Full Progression (Process 10 and 12)", "1.2.840.10008.1.2.4.55"),
    NamedUid("JPEG Full Progression (Process 11 and 13)", "1.2.840.10008.1.2.4.56"),
    NamedUid("JPEG Extended, Hierarchical (Process 16 and 18)", "1.2.840.10008.1.2.4.59"),
    NamedUid("JPEG Extended, Hierarchical (Process 17 and 19)", "1.2.840.10008.1.2.4.60"),
    NamedUid("JPEG Spectral Selection, Hierarchical (Process 20 and 22)", "1.2.840.10008.1.2.4.61"),
    NamedUid("JPEG Spectral Selection, Hierarchical (Process 21 and 23)", "1.2.840.10008.1.2.4.62"),
    NamedUid("JPEG Full Progression, Hierarchical (Process 24 and 26)", "1.2.840.10008.1.2.4.63"),
    NamedUid("JPEG Full Progression, Hierarchical (Process 25 and 27)", "1.2.840.10008.1.2.4.64"),
    NamedUid("JPEG Lossless, Hierarchical (Process 28)", "1.2.840.10008.1.2.4.65"),
    NamedUid("JPEG Lossless, Hierarchical (Process 29)", "1.2.840.10008.1.2.4.66"),
    # Pixel data by reference
    NamedUid("JPIP Referenced", "1.2.840.10008.1.2.4.94"),
    NamedUid("JPIP Referenced Deflate", "1.2.840.10008.1.2.4.95"),
    NamedUid("JPIP HTJ2K Referenced", "1.2.840.10008.1.2.4.204"),
    NamedUid("JPIP HTJ2K Referenced Deflate", "1.2.840.10008.1.2.4.205"),
    # Video
    NamedUid("MPEG2 Main Profile / Main Level", "1.2.840.10008.1.2.4.100"),
    NamedUid("Fragmentable MPEG2 Main Profile / Main Level", "1.2.840.10008.1.2.4.100.1"),
    NamedUid("MPEG2 Main Profile / High Level", "1.2.840.10008.1.2.4.101"),
    NamedUid("Fragmentable MPEG2 Main Profile / High Level", "1.2.840.10008.1.2.4.101.1"),
    NamedUid("MPEG-4 AVC/H.264 High Profile / Level 4.1", "1.2.840.10008.1.2.4.102"),
    NamedUid("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1", "1.2.840.10008.1.2.4.102.1"),
    NamedUid("MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "1.2.840.10008.1.2.4.103"),
    NamedUid("Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "1.2.840.10008.1.2.4.103.1"),
    NamedUid("MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "1.2.840.10008.1.2.4.104"),
    NamedUid("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "1.2.840.10008.1.2.4.104.1"),
    NamedUid("MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "1.2.840.10008.1.2.4.105"),
    NamedUid("Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "1.2.840.10008.1.2.4.105.1"),
    NamedUid("MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "1.2.840.10008.1.2.4.106"),
    NamedUid("Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "1.2.840.10008.1.2.4.106.1"),
    NamedUid("HEVC/H.265 Main Profile / Level 5.1", "1.2.840.10008.1.2.4.107"),
    NamedUid("HEVC/H.265 Main 10 Profile / Level 5.1", "1.2.840.10008.1.2.4.108"),
)

DEFLATED_SYNTAXES: frozenset[str] = frozenset(
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)
"""The whole data set is deflated (PS3.5 A.5)."""

REFERENCING_SYNTAXES: frozenset[str] = frozenset(
    f"1.2.840.10008.1.2.4.{suffix}" for suffix in ("94", "95", "204", "205")
)
"""The pixels stay with a JPIP provider (PS3.5 A.6)."""

VIDEO_SYNTAXES: frozenset[str] = frozenset(
    syntax.uid for syntax in TRANSFER_SYNTAXES if syntax.name.startswith(("MPEG", "Fragmentable", "HEVC"))
)
"""One stream for all frames: fragments do not count frames (PS3.5 A.4.5)."""
