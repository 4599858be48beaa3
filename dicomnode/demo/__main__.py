"""`python -m dicomnode.demo`: the whole path on one machine, for a person to look at."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from ..errors import NodeError
from .run import Demonstration


def main() -> int:
    """Run the demonstration; 0 only if everything arrived and, where the truth is known, is right."""
    parser = argparse.ArgumentParser(prog="bootstrap.py demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of real DICOM files instead of the generated patients")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        help="where everything is kept: a new or empty folder, or an earlier run's",
    )
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.data is not None and not options.data.is_dir():
        console.print(f"[red]{options.data} is not a folder[/]")
        return 2
    try:
        return 0 if Demonstration(options.out.resolve(), options.data, console).run() else 1
    except NodeError as error:
        console.print(f"[red]the demonstration failed:[/] {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
