"""Ansaetze by name: the built-in ones, registered ones, and ``package.module:name``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.circuits import free_rotor, polar, rotor, strongly_entangling, u_cu
from hybrid_qproj.circuits.ansatz import Ansatz, AnsatzError

_ANSAETZE: dict[str, Ansatz] = {
    module.ansatz.name: module.ansatz for module in (u_cu, rotor, free_rotor, polar, strongly_entangling)
}


def names() -> list[str]:
    """Names of the built-in and registered ansaetze, in the order of their registration."""
    return list(_ANSAETZE)


def register(ansatz: Ansatz) -> Ansatz:
    """Make an ansatz available by its name in this process.

    Args:
        ansatz: the declaration; it is traced once.

    Returns:
        the ansatz itself.

    Raises:
        AnsatzError: the name is taken by another ansatz, or the declaration contradicts itself.
    """
    if ":" in ansatz.name or not ansatz.name:
        raise AnsatzError(f"an ansatz needs a name without ':'; got {ansatz.name!r}")
    if _ANSAETZE.get(ansatz.name, ansatz) != ansatz:
        raise AnsatzError(f"the name {ansatz.name!r} is taken; choose another (taken: {', '.join(names())})")
    _ANSAETZE[ansatz.name] = ansatz.check()
    return ansatz


def get(circuit: str | Ansatz) -> Ansatz:
    """Find an ansatz.

    Args:
        circuit: a name from `names`, ``"package.module:name"`` for an `Ansatz` object in an importable
            module, or an `Ansatz`.

    Returns:
        the ansatz, checked.

    Raises:
        AnsatzError: nothing is found there, or what is found is not a sound ansatz.

    Examples:
        >>> from hybrid_qproj import circuits
        >>> circuits.get("u_cu").parameters
        12
        >>> circuits.get("rotr")
        Traceback (most recent call last):
        ...
        hybrid_qproj.circuits.ansatz.AnsatzError: no ansatz 'rotr'; did you mean 'rotor'? ...
    """
    if isinstance(circuit, Ansatz):
        return circuit.check()
    if circuit in _ANSAETZE:
        return _ANSAETZE[circuit]
    if ":" in circuit:
        return _import(circuit)
    hint = suggestion(circuit, names(), otherwise=";")
    raise AnsatzError(
        f"no ansatz {circuit!r}{hint} there are {', '.join(names())}; your own is found as 'package.module:name'"
    )


def find(name: str, allowed: Iterable[str | Ansatz] = ()) -> Ansatz:
    """Find an ansatz that a file names: a registered one, or one that the caller allows. The name imports nothing.

    Args:
        name: what stands in the file.
        allowed: ansaetze that the caller trusts beside the registered ones: objects, or ``"package.module:name"``,
            which is imported. The file may name them by that or by their own name.

    Returns:
        the ansatz, checked.

    Raises:
        AnsatzError: it is neither registered nor allowed, or an allowed one has the name of another.
    """
    known = dict(_ANSAETZE)
    for entry in allowed:
        ansatz = get(entry)
        if known.setdefault(ansatz.name, ansatz) != ansatz:
            raise AnsatzError(
                f"the allowed ansatz {entry if isinstance(entry, str) else ansatz.name!r} has the name of another, "
                f"{ansatz.name!r}; rename one of them"
            )
        if isinstance(entry, str):
            known[entry] = ansatz
    if name not in known:
        hint = suggestion(name, known, otherwise=";")
        example = name if ":" in name else "my_package.my_module:name"
        raise AnsatzError(
            f"ansatz {shortened(name)!r} is not registered{hint} there are {', '.join(names())}. What a saved file "
            f"names is not imported; if you trust it, allow it: load(..., ansaetze=({shortened(example)!r},)), or "
            f"--ansatz {shortened(example)} on the command line, or call hybrid_qproj.circuits.register before"
        )
    return known[name]


def shortened(text: str, most: int = 60) -> str:
    """A text of a file as an error shows it."""
    return text if len(text) <= most else f"{text[:most]}..."


def _import(reference: str) -> Ansatz:
    module_name, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise AnsatzError(
            f"no ansatz at {reference!r}: {error}. Expected 'package.module:name' of an importable Ansatz"
        ) from error
    if not isinstance(found, Ansatz):
        raise AnsatzError(f"{reference!r} is a {type(found).__name__}; expected an Ansatz")
    return found.check()
