"""How large a simulated state is, known before anything is allocated."""

from __future__ import annotations

from hybrid_qproj.devices.cost import can_cost
from hybrid_qproj.devices.errors import DeviceUnavailableError
from hybrid_qproj.devices.spec import DeviceSpec

MOST_STATE_BYTES = 1 << 30
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
    adapter = spec.adapter
    return (8 if adapter.is_single(spec) else 16) * (4 if adapter.is_density(spec) else 2) ** wires


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
    total, most = spec.wires or wires * blocks, spec.adapter.max_wires
    if total < wires * blocks or (most and total > most):
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: {blocks} blocks of {wires} wires need {wires * blocks} wires; it has "
            f"{min(total, most or total)}. Lower pack, or raise wires"
        )
    size = state_bytes(spec, total)
    # A snapshot's simulator leaves out the qubits that no circuit touches.
    if size is not None and not spec.is_snapshot and size > MOST_STATE_BYTES:
        raise DeviceUnavailableError(
            f"device {str(spec)!r}: a state of {total:,} wires is over {MOST_STATE_BYTES >> 30} GiB. Lower pack or "
            "wires"
        )
    return total
