"""Tests that any device has to pass to carry a head; for authors of PennyLane plugins too.

    python -m hybrid_qproj.conformance --device "my.device?shots=1000"

runs them on one device; ``--device`` may be repeated, and without it every installed device that needs no account is
tested. A device that can cost money, or a plugin that the package does not know, wants ``--allow-paid`` too. Other
arguments go to pytest, which has to be installed: ``-p my_package.rows`` imports a module that registers rows of
devices (`hybrid_qproj.devices.register_device`), here and in worker processes. A device string without shots asks for
exact results; a noisy device is held only to what noise leaves true.
"""
