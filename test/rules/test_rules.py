"""Rules that the source files keep: who may include whom, headers, sizes, formatting.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = {".cpp", ".h", ".hpp", ".c", ".td", ".inc"}

# Which of our components the files of a component may include, besides those of their own.
MAY_INCLUDE = {
    "target": set(),
    "dialects": {"target"},
    "frontends": {"dialects", "target"},
    "passes": {"dialects", "target"},
    "compiler": {"passes", "frontends", "dialects", "target"},
    "tools": {"compiler", "passes", "frontends", "dialects", "target", "runtime"},
    "runtime": set(),
}
# The contract between generated code and the runtime: the compiler writes what it declares.
ABI = "llmopt/ModelABI.h"
ABI_USERS = {"compiler", "passes", "target"}


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file() and not path.is_symlink()]


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix in CODE]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def component(path: str) -> str:
    return path.split("/", 1)[0]


def included(path: Path) -> list[str]:
    return re.findall(r'^\s*(?:#\s*)?include\s+[<"]([^">]+)[">]', path.read_text(encoding="utf-8"), re.MULTILINE)


def forbidden(path: str, include: str) -> bool:
    """Whether a file of one of our components must not include this."""
    own, other = component(path), component(include)
    if own not in MAY_INCLUDE:
        return False
    if other == "llmopt" or include.startswith("runtime/include/"):
        allowed_headers = own in ("tools", "runtime") or (own in ABI_USERS and include.endswith(ABI))
        return not allowed_headers
    return other in MAY_INCLUDE and other != own and other not in MAY_INCLUDE[own]


def test_the_rule_itself():
    assert forbidden("passes/Import/A.cpp", "compiler/B.h")
    assert forbidden("runtime/A.cpp", "target/B.h")
    assert forbidden("compiler/A.cpp", "llmopt/Runtime.h")
    assert not forbidden("compiler/A.cpp", "runtime/include/llmopt/ModelABI.h")
    assert not forbidden("compiler/A.cpp", "passes/Passes.h")
    assert not forbidden("passes/A.cpp", "mlir/IR/Builders.h")


def test_includes_follow_the_layers():
    wrong = [f"{name(path)} includes {include}" for path in sources() for include in included(path) if forbidden(name(path), include)]
    assert not wrong, "\n".join(wrong)


def test_every_file_says_its_licence():
    exempt = {"LICENSE", ".gitignore", ".clang-format", ".clang-tidy", "CMakePresets.json"}
    kinds = CODE | {".py", ".sh", ".txt", ".cmake", ".toml", ".in", ".mlir", ".test", ""}
    missing = [
        name(path)
        for path in tracked()
        if path.suffix in kinds and path.suffix not in {".mlir", ".test"} and path.name not in exempt and not is_data(path)
        if "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception" not in path.read_text(encoding="utf-8", errors="replace")[:2000]
    ]
    assert not missing, "\n".join(missing)


def is_data(path: Path) -> bool:
    """Lists of packages, and inputs of tests."""
    return path.name.startswith("requirements") or path.name == "debian-packages.txt" or "Inputs" in path.parts


def test_no_file_is_too_long():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert not {path: lines for path, lines in lengths.items() if lines > 500}


def test_no_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.$}])/(?:work|root|home)/[\w.]")
    wrong = [name(path) for path in tracked() if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8", errors="replace"))]
    assert not wrong


@pytest.mark.skipif(not shutil.which("clang-format-22"), reason="needs clang-format-22")
def test_code_is_formatted():
    files = [str(path) for path in sources() if path.suffix in {".cpp", ".h", ".hpp", ".c"}]
    run = subprocess.run(["clang-format-22", "--dry-run", "-Werror", *files], capture_output=True, text=True, check=False)
    wrong = sorted(set(re.findall(rf"^{re.escape(str(ROOT))}/(\S+?):\d+", run.stderr, re.MULTILINE)))
    assert run.returncode == 0, "\n".join(wrong)
