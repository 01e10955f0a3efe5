"""Simulators on the GPU: values, gradients and times of a head on lightning.gpu beside default.qubit."""

from __future__ import annotations

import subprocess
import sys
import time

import torch
from torch import Tensor

from benchmarks.gpu.arithmetic import Sizes
from benchmarks.measure import Section, number
from hybrid_qproj import DeviceSpec, QuantumProjection

BLOCKS = 32


def devices(dry: bool) -> tuple[str, ...]:
    """What is tested; without a GPU another lightning device stands in, and says so in the report."""
    return ("lightning.qubit",) if dry else ("lightning.gpu", "lightning.gpu?c_dtype=complex64")


def step(head: QuantumProjection, x: Tensor) -> list[Tensor]:
    """Angles, and gradients by weights and embeddings."""
    leaf = x.clone().requires_grad_()
    angles = head(leaf)
    return [angles.detach(), *torch.autograd.grad(angles.sin().sum(), [*head.parameters(), leaf])]


def values(device: str, sizes: Sizes) -> Section:
    """Interpolated and direct mode, double and single precision."""
    section = Section("Simulators", f"heads {3 * BLOCKS} to {BLOCKS}, 5 embeddings, tensors on {device}")
    torch.manual_seed(0)
    base = QuantumProjection(3 * BLOCKS, BLOCKS, init="random").double().to(device)
    x = torch.randn(5, 3 * BLOCKS, dtype=torch.float64, device=device)
    expected = step(base, x)
    for name in devices(device == "cpu"):
        single = "complex64" in name
        for mode in ("interpolated", "direct"):
            spec = DeviceSpec.parse(name).replace(mode=mode)
            torch.manual_seed(0)
            head = QuantumProjection(3 * BLOCKS, BLOCKS, init="random", device=spec).double().to(device)
            head.load_state_dict(base.state_dict())
            began = time.perf_counter()
            found = step(head, x)
            took = time.perf_counter() - began
            error = max((a - b).abs().max().item() for a, b in zip(found, expected, strict=True))
            label = f"{spec}: largest difference of angles and gradients from default.qubit"
            section.value(label, error, f"{error:.1e}", "<= 1e-3" if single else "<= 1e-8")
            began = time.perf_counter()
            step(base, x)
            ratio = took / (time.perf_counter() - began)
            section.value(f"{spec}: time of that step / default.qubit interpolated", ratio, number(ratio))
    return section


def conformance(device: str, sizes: Sizes) -> Section:
    """The conformance suite, which anyone can run on a device."""
    section = Section("Conformance", "python -m hybrid_qproj.conformance --device ...")
    dry = device == "cpu"
    # Without a GPU the slow tests of the project have just run it on both.
    for name in devices(dry) if dry else ("default.qubit", *devices(dry)):
        _pytest(section, name, "hybrid_qproj.conformance", "--device", name)
    return section


def tests(device: str, sizes: Sizes) -> Section:
    """The tests that need a GPU."""
    section = Section("Tests marked gpu", "pytest -m gpu tests/test_gpu.py")
    _pytest(section, "tests", "pytest", "-m", "gpu", "tests/test_gpu.py")
    return section


def _pytest(section: Section, label: str, module: str, *arguments: str) -> None:
    """Add what pytest says last; where tests failed, print what it says of them."""
    command = [sys.executable, "-m", module, *arguments, "-q", "--tb=short", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    last = (done.stdout.strip().splitlines() or [done.stderr.strip()[-300:]])[-1].strip("= ")
    section.value(label, done.returncode, last, "all pass")
    # pytest exits with 5 where it is to run nothing, as a dry run's GPU tests.
    if done.returncode not in (0, 5):
        print(done.stdout[-8000:], done.stderr[-2000:])
