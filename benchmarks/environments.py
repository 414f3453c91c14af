"""What environments weigh, package by package.

python benchmarks/environments.py SLIM FULL

SLIM is a virtual environment with `vidrt[cpu]` alone, FULL one with torch and diffusers.
"""

import json
import subprocess
import sys
from pathlib import Path

from measure import write

SHOWN = 12

# Runs inside the environment: the size of the files that each distribution recorded.
LIST = """
import importlib.metadata as m, json
def size(d):
    return sum(p.stat().st_size for f in d.files or () if (p := d.locate_file(f)).is_file())
print(json.dumps({d.metadata["Name"]: size(d) for d in m.distributions()}))
"""


def main() -> None:
    """Prints a table for each environment: its packages and the whole folder."""
    figures = {}
    for name, folder in zip(("slim", "full"), map(Path, sys.argv[1:]), strict=False):
        packages = _packages(folder)
        total = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6
        figures[name] = {"total_mb": round(total, 1), "packages_mb": packages}
        print(f"{name}: {total:.0f} MB")
        for package, megabytes in list(packages.items())[:SHOWN]:
            print(f"  {package:24} {megabytes:8.1f} MB")
    write("environments", figures)


def _packages(folder: Path) -> dict[str, float]:
    output = subprocess.run(
        [folder / "bin" / "python", "-c", LIST], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    sizes = {name: round(size / 1e6, 1) for name, size in json.loads(output).items()}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


if __name__ == "__main__":
    main()
