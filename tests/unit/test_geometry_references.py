import re
from pathlib import Path

import dicomnode
import fusion

PACKAGE = Path(fusion.__file__).parent


def test_every_paper_that_is_cited_is_in_the_bibliography_and_the_other_way_round() -> None:
    known = set(re.findall(r"^@\w+\{(\w+),", (PACKAGE / "references.bib").read_text(encoding="utf-8"), re.MULTILINE))
    folders = (PACKAGE, Path(dicomnode.__file__).parent)
    sources = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    cited = set(re.findall(r"`([a-z]+(?:19|20)\d\d[a-z]*)`", sources))
    assert cited == known
