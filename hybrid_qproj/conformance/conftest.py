"""The options ``--device`` and ``--allow-paid``, and a run of each test for each device that it applies to."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

import pytest
import torch

from hybrid_qproj.conformance.targets import APPLIES, fast, slow
from hybrid_qproj.devices import (
    DeviceSpec,
    DeviceSpecError,
    DeviceUnavailableError,
    PaidDeviceError,
    installed_devices,
)
from hybrid_qproj.devices.checks import check_known
from hybrid_qproj.devices.cost import check_allowed

WORK = "Some thousands of circuits were to run"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--device`` and ``--allow-paid``."""
    parser.addoption(
        "--device",
        action="append",
        dest="conformance_devices",
        metavar="STRING",
        help="device string to test; repeatable. Every installed device that needs no account, if it is not given",
    )
    parser.addoption(
        "--allow-paid",
        action="store_true",
        dest="conformance_allow_paid",
        help="test devices of --device that can cost money, or whose plugin is not known to run here",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, for projects other than this one; refuse devices that are unknown or can cost money."""
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    try:
        for spec in map(DeviceSpec.parse, config.getoption("conformance_devices", default=None) or ()):
            check_known(spec.name)
            check_allowed(spec, config.getoption("conformance_allow_paid", default=False), WORK)
    except PaidDeviceError as error:
        raise pytest.UsageError(f"{error} (here the option is --allow-paid)") from None
    except (DeviceSpecError, DeviceUnavailableError) as error:
        raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each device that it applies to."""
    for argument, applies in APPLIES.items():
        if argument in metafunc.fixturenames:
            targets = [p for p in _parameters(metafunc.config) if applies(DeviceSpec.parse(str(p.values[0])))]
            metafunc.parametrize(argument, targets)


def _parameters(config: pytest.Config) -> list[pytest.ParameterSet]:
    given = config.getoption("conformance_devices", default=None)
    if given:
        return [pytest.param(text) for text in given]
    installed = set(installed_devices())
    quick = [pytest.param(text) for text in fast()]
    others = [(text, DeviceSpec.parse(text).adapter) for text in slow()]
    return quick + [pytest.param(text, marks=_marks(row.gpu)) for text, row in others if row.built in installed]


def _marks(gpu: bool) -> list[pytest.MarkDecorator]:
    missing = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
    return [pytest.mark.slow, missing] if gpu else [pytest.mark.slow]


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> Iterator[ProcessPoolExecutor]:
    """One spawned process: it shares nothing with this one but what is pickled, and rows of devices from ``-p``."""
    modules = [name for name in request.config.getoption("plugins") if not name.startswith("no:")]
    with ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("spawn"), initializer=_import, initargs=(modules,)
    ) as pool:
        yield pool


def _import(modules: list[str]) -> None:
    for name in modules:
        # What is named may be a plugin of pytest's that has another name as a module.
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)
