"""Refuses files and functions that grew past what a reader can hold.

The budget is an aim (file 250 lines, function 25, class 200) and a stop (file
500, function 60). Only the stop fails; ``--aim`` lists what is over the aim.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_AIM, FILE_STOP = 250, 500
FUNCTION_AIM, FUNCTION_STOP = 25, 60
CLASS_AIM = 200

# Generated code, and data that happens to be written as Python: paths and folders.
EXEMPT = ("mtd/pb/",)


def main() -> int:
    """Check the committed and new Python files; return 1 if one is over the stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--aim", action="store_true", help="list what is over the aim as well")
    parser.add_argument("paths", nargs="*", type=Path, help="files to check; all of the project if none")
    arguments = parser.parse_args()
    paths = arguments.paths or list(_project_files())
    if not paths:
        print("check_sizes: no Python file was found", file=sys.stderr)
        return 1
    failed = False
    for path in paths:
        if path.as_posix().startswith(EXEMPT):
            continue
        for line, what, size, aim, stop in _measure(path):
            over = size > stop
            failed |= over
            if over or (arguments.aim and size > aim):
                print(f"{path}:{line}: {what} has {size} lines; {f'stop {stop}' if over else f'aim {aim}'}")
    return int(failed)


def _project_files() -> Iterator[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "*.py"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return (path for name in listed.split("\0") if name and (path := Path(name)).exists())


def _measure(path: Path) -> Iterator[tuple[int, str, int, int, float]]:
    """Yield (line, what, size, aim, stop) of the file, its classes and functions."""
    text = path.read_text(encoding="utf-8")
    yield 1, "file", len(text.splitlines()), FILE_AIM, FILE_STOP
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, f"function {node.name}", _length(node), FUNCTION_AIM, FUNCTION_STOP
        elif isinstance(node, ast.ClassDef):
            yield node.lineno, f"class {node.name}", _length(node), CLASS_AIM, float("inf")


def _length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


if __name__ == "__main__":
    raise SystemExit(main())
