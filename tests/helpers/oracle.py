"""The head by plain matrix products, written from the formulas alone: no PennyLane, no code of the package."""

from __future__ import annotations

import numpy as np

I2 = np.eye(2)
Z = np.diag([1.0, -1.0])
CZ = np.diag([1.0, 1, 1, -1])
CNOT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], float)
CNOT_BACK = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]], float)


def ry(t):
    return np.array([[np.cos(t / 2), -np.sin(t / 2)], [np.sin(t / 2), np.cos(t / 2)]])


def rz(t):
    return np.diag([np.exp(-0.5j * t), np.exp(0.5j * t)])


def on_c(gate):
    return np.kron(gate, I2)


def on_b(gate):
    return np.kron(I2, gate)


def unitary(name, w):
    """The 4x4 matrix of an ansatz, control first; w are raw weights."""
    if name == "u_cu":
        a = 2 * np.pi * (1 + np.tanh(w))
        u_c, u_b, u = (np.exp(1j * x[0]) * rz(x[1]) @ ry(x[2]) @ rz(x[3]) for x in (a[0:4], a[4:8], a[8:12]))
        controlled = np.block([[I2, np.zeros((2, 2))], [np.zeros((2, 2)), u]])
        return controlled @ on_b(u_b) @ on_c(u_c)
    if name == "rotor":
        return on_b(ry(-w[0])) @ CZ
    if name == "free_rotor":
        return on_b(ry(w[2])) @ CZ @ on_b(ry(w[1])) @ on_c(ry(w[0]))
    if name == "polar":
        zz = np.diag(np.exp(-0.5j * w[4] * np.array([1, -1, -1, 1])))
        return on_b(ry(w[5])) @ zz @ on_b(rz(w[3]) @ ry(w[2])) @ on_c(rz(w[1]) @ ry(w[0]))
    if name == "strongly_entangling":
        total = np.eye(4)
        for layer in w.reshape(3, 2, 3):
            rot_c, rot_b = (rz(x[2]) @ ry(x[1]) @ rz(x[0]) for x in layer)
            total = CNOT_BACK @ CNOT @ on_b(rot_b) @ on_c(rot_c) @ total
        return total
    raise ValueError(name)


def block(name, w, angle_c, angle_b):
    """<Z_b> after the ansatz on RY(angle_c)|0> and RY(angle_b)|0>."""
    zero = np.array([1.0, 0.0])
    state = unitary(name, w) @ np.kron(ry(angle_c) @ zero, ry(angle_b) @ zero)
    return float(np.real(state.conj() @ on_b(Z) @ state))


def head(name, x, stages, output, weights, scale=1.0):
    """Output angles of one embedding.

    stages: list of (control, kept) index lists; weights: one (blocks, parameters) array a stage.
    """
    angles = -np.pi / 2 * (1 + np.tanh(scale * x))
    for (control, kept), ws in zip(stages, weights, strict=True):
        before = angles.copy()
        for c, b, w in zip(control, kept, ws, strict=True):
            angles[b] = np.arccos(np.clip(block(name, w, before[c], before[b]), -1, 1))
    return np.abs(angles[list(output)])


def fidelity(a, b):
    """Squared overlap of two product states, by their full state vectors."""
    left, right = np.ones(1), np.ones(1)
    for x, y in zip(a, b, strict=True):
        left = np.kron(left, [np.cos(x / 2), np.sin(x / 2)])
        right = np.kron(right, [np.cos(y / 2), np.sin(y / 2)])
    return float((left @ right) ** 2)
