"""From a fresh clone to a running demo or a tested tree: `python3 bootstrap.py demo | test | setup`.

Needs python3 >= 3.11 with venv and nothing else. Makes .venv once, stamped by the hash of what defines it, so that a
second run starts at once.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "constraints.txt"

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)


def main() -> int:
    """Run the step that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("setup", help="make the environment and stop")
    steps.add_parser("demo", help="a workstation, the node and a PACS, end to end; --data DIR, --out DIR go to it")
    test = steps.add_parser("test", help="linters, types, import contracts and tests; what is left goes to pytest")
    test.add_argument("--slow", action="store_true", help="only the kill and viewer suites, which take minutes")
    options, rest = parser.parse_known_args()
    if rest and options.step == "setup":
        parser.error(f"setup takes nothing more, not {' '.join(rest)}")

    if sys.version_info < (3, 11):  # noqa: UP036 - an older python3 should hear why
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    make_environment(development=options.step == "test")
    if options.step == "demo":
        return subprocess.call([PYTHON, "-m", "dicomnode.demo", *rest], cwd=ROOT)
    if options.step == "test":
        return run_tests(slow=options.slow, arguments=rest)
    print(f"the environment is ready: {ENVIRONMENT / 'bin' / 'dicomnode'} --help")
    return 0


def make_environment(*, development: bool) -> None:
    """Make .venv unless its stamp says that it is what pyproject.toml and constraints.txt ask for."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()).hexdigest()
    runtime_stamp, development_stamp = ENVIRONMENT / "stamp-runtime", ENVIRONMENT / "stamp-development"
    if not holds(runtime_stamp, wanted):
        print("making the environment in .venv (minutes, once)", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True, clear=False, symlinks=os.name != "nt")
        pip("install", "--upgrade", "pip>=25.1")  # older ones know no dependency groups
        pip("install", "--constraint", CONSTRAINTS, "--editable", ROOT)
        runtime_stamp.write_text(wanted)
    if development and not holds(development_stamp, wanted):
        print("adding the development tools to .venv", file=sys.stderr)
        pip("install", "--constraint", CONSTRAINTS, "--group", f"{ROOT / 'pyproject.toml'}:dev")
        development_stamp.write_text(wanted)


def holds(stamp: Path, wanted: str) -> bool:
    """Whether the environment was made for exactly this."""
    return PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted


def pip(*arguments: str | Path) -> None:
    """Run pip in the environment; its own error output says what went wrong."""
    command = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "PIP_PROGRESS_BAR": "off"}
    if (code := subprocess.call(command, env=environment)) != 0:
        print("the environment could not be made; is a package index reachable (pip config list)?", file=sys.stderr)
        sys.exit(code)


def run_tests(*, slow: bool, arguments: list[str]) -> int:
    """Linters, types and import contracts, then pytest; the first failure ends it."""
    if not slow:
        for name, *rest in CHECKS:
            print(f"── {name} {' '.join(rest)}", file=sys.stderr, flush=True)
            if (code := subprocess.call([ENVIRONMENT / "bin" / name, *rest], cwd=ROOT)) != 0:
                return code
    marks = "slow and not benchmark" if slow else "not slow"
    print(f"── pytest -m '{marks}'", file=sys.stderr, flush=True)
    rest = [argument for argument in arguments if argument != "--"]
    # One thread for each of two processes: torch with more threads than free cores is many times slower.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    parallel = () if slow else ("-n", str(min(os.cpu_count() or 1, 4)))
    command = [PYTHON, "-m", "pytest", *parallel, "-m", marks, *rest]
    code = subprocess.call(command, cwd=ROOT, env=environment)
    if not slow and code == 0:
        print("the kill and viewer suites are a step of their own: python3 bootstrap.py test --slow", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
