"""The promises of setup.cfg, the constraint files and the installed package."""

from __future__ import annotations

import configparser
import importlib.metadata
import importlib.resources
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup


def lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def requirements() -> list[Requirement]:
    """Every dependency of the package and its extras, but not the extras that name each other."""
    setup = read_setup()
    texts = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    found = [Requirement(line) for text in texts for line in lines(text)]
    return [requirement for requirement in found if requirement.name != "hybrid-qproj"]


def pins(name: str) -> dict[str, str]:
    pairs = [line.split("==") for line in lines((ROOT / name).read_text(encoding="utf-8"))]
    assert all(len(pair) == 2 for pair in pairs), f"{name}: every line is package==version"
    assert len({canonicalize_name(package) for package, _ in pairs}) == len(pairs), f"{name}: a package twice"
    return {canonicalize_name(package): version for package, version in pairs}


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_each_dependency_has_a_tested_lower_bound(requirement: Requirement) -> None:
    (bound,) = [s.version for s in requirement.specifier if s.operator == ">="]
    package = canonicalize_name(requirement.name)
    assert pins("constraints-min.txt")[package] == bound
    assert requirement.specifier.contains(pins("constraints.txt")[package])


def test_extras_that_name_each_other_exist() -> None:
    extras = read_setup()["options.extras_require"]
    texts = [Requirement(line) for text in extras.values() for line in lines(text)]
    named = {extra for requirement in texts if requirement.name == "hybrid-qproj" for extra in requirement.extras}
    assert named <= set(extras)


def test_metadata_stands_in_setup_cfg_only() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(settings) == {"build-system", "tool"}
    assert "setuptools" not in settings["tool"]


def test_version_is_the_same_everywhere() -> None:
    version = read_setup()["metadata"]["version"]
    assert importlib.metadata.version("hybrid-qproj") == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_package_is_listed() -> None:
    in_tree = {".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "hybrid_qproj").rglob("__init__.py")}
    assert set(lines(read_setup()["options"]["packages"])) == in_tree | {"hybrid_qproj.circuits"}
    folders = {path.parent for path in (ROOT / "hybrid_qproj").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_entry_point_resolves() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="hybrid-qproj")
    assert callable(command.load())


def test_types_are_shipped() -> None:
    assert (importlib.resources.files("hybrid_qproj") / "py.typed").is_file()
    assert "py.typed" in lines(read_setup()["options.package_data"]["hybrid_qproj"])


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_extra() -> None:
    # Not matplotlib: PennyLane imports it by itself where it is installed.
    extras = {"sentence_transformers", "transformers", "ir_datasets", "pytrec_eval", "gensim"}
    assert run(f"import sys, hybrid_qproj, hybrid_qproj.cli; print(sorted({extras!r} & set(sys.modules)))") == "[]"


def test_core_install_is_enough_to_import() -> None:
    # None in sys.modules makes an import fail as if the package were missing.
    extras = ["sentence_transformers", "transformers", "matplotlib", "ir_datasets", "pytrec_eval", "gensim"]
    run(f"import sys; sys.modules.update(dict.fromkeys({extras!r})); import hybrid_qproj, hybrid_qproj.cli")


def test_the_demo_is_shipped() -> None:
    names = lines(read_setup()["options.package_data"]["hybrid_qproj.demo"])
    assert names == ["demo.toml", "codes.toml"]
    for name in names:
        assert (
            (importlib.resources.files("hybrid_qproj.demo") / name).read_text(encoding="utf-8").startswith("# The demo")
        )
