"""How large a simulated state is, known before anything is allocated."""

from __future__ import annotations

from hybrid_qproj.devices.adapters import adapter_for
from hybrid_qproj.devices.backends import is_snapshot
from hybrid_qproj.devices.cost import can_cost
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.spec import DeviceSpec

DENSITY_MATRICES = ("default.mixed", "cirq.mixedsimulator", "braket_dm", "density_matrix")
"""Devices, and values of the options ``backend`` and ``method``, that simulate a density matrix."""
SINGLE_PRECISION = ("cirq.mixedsimulator", "complex64")
"""Devices, and values of the option ``c_dtype``, with amplitudes of 8 bytes; all others have 16."""
MOST_BYTES = 1 << 30
"""Of one simulated state: 26 wires, or 13 of a density matrix. Blocks of two wires need no more."""


def state_bytes(spec: DeviceSpec, wires: int) -> int | None:
    """Memory of a simulated state.

    Args:
        spec: the device.
        wires: wires of the circuit.

    Returns:
        bytes: an amplitude for each of 2^wires basis states, or of 4^wires entries of a density matrix; None for a
        machine. A snapshot counts as a density matrix, for its noise.
    """
    if can_cost(spec):
        return None
    kinds = {spec.name, *(spec.option(key) for key in ("backend", "method", "c_dtype"))}
    density = is_snapshot(spec) or not kinds.isdisjoint(DENSITY_MATRICES)
    return (8 if not kinds.isdisjoint(SINGLE_PRECISION) else 16) * (4 if density else 2) ** wires


def check_wires(spec: DeviceSpec, blocks: int, wires: int) -> int:
    """Wires of the device that carries blocks side by side.

    Args:
        spec: the device.
        blocks: blocks in one circuit.
        wires: wires of a block.

    Returns:
        their number.

    Raises:
        DeviceUnavailableError: the device is to have too few, or more than it, or memory, can hold.
    """
    total, most = spec.wires or wires * blocks, adapter_for(spec.name).max_wires
    if total < wires * blocks or (most and total > most):
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: {blocks} blocks of {wires} wires need {wires * blocks} wires; it has "
            f"{min(total, most or total)}. Lower pack, or raise wires"
        )
    size = state_bytes(spec, total)
    # A snapshot's simulator leaves out the qubits that no circuit touches.
    if size is not None and not is_snapshot(spec) and size > MOST_BYTES:
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: a state of {total:,} wires is over {MOST_BYTES >> 30} GiB. Lower pack or wires"
        )
    return total
