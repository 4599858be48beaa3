"""The demonstration ends with everything right, on the generated patients and on a real one."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.orthanc import require_orthanc

pytestmark = [pytest.mark.pacs, pytest.mark.slow]


def demonstration(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dicomnode.demo", "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.timeout(600)
def test_the_generated_patients_are_accepted_and_arrive(tmp_path: Path) -> None:
    require_orthanc()
    done = demonstration(tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything arrived and is right" in done.stdout
    pictures = sorted((tmp_path / "out" / "previews").iterdir())
    assert len(pictures) == 4
    for picture in pictures:
        with Image.open(picture) as image:
            assert len(image.convert("RGB").getcolors(1 << 24) or ()) > 100, f"{picture.name} is empty"


@pytest.mark.data
@pytest.mark.timeout(600)
def test_a_real_patient_arrives_and_what_is_reviewed_is_said(tmp_path: Path, reference_data: Path) -> None:
    require_orthanc()
    patient = reference_data / "petctmr_sarcoma" / "STS_001"
    done = demonstration(tmp_path / "out", "--data", str(patient))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PT on CT" in done.stdout
    assert "MR on CT" in done.stdout
