"""Fixtures live in named plugin files."""

pytest_plugins = [
    "tests.fixtures.hypothesis_profile",
    "tests.fixtures.reference_data",
    "tests.fixtures.real_programs",
    "tests.fixtures.orthanc",
    "tests.fixtures.small_pacs",
    "tests.fixtures.deliveries",
    "tests.fixtures.databases",
    "tests.fixtures.dicom_peer",
    "tests.fixtures.certificates",
    "tests.fixtures.node_process",
    "tests.fixtures.generated_patients",
    "tests.fixtures.command_line",
    "tests.fixtures.node_parts",
    "tests.fixtures.pages",
]
