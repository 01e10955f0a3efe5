"""A device as a string: ``NAME?key=value&key=value``, parsed to a frozen `DeviceSpec` and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hybrid_qproj._util.suggest import suggestion
from hybrid_qproj.devices.adapters import ADAPTERS, adapter_for
from hybrid_qproj.devices.errors import DeviceSpecError
from hybrid_qproj.devices.noise import parse_noise
from hybrid_qproj.devices.options import Choice, Kind, Whole

MODES = ("interpolated", "direct")
COMMON: dict[str, Kind] = {
    "shots": Whole(1, 10**7),
    "seed": Whole(0, 2**63 - 1),
    "mode": Choice(MODES),
    "pack": Whole(1, 1024),
    "wires": Whole(2, 2048),
    "diff_method": Choice(
        (
            "best",
            "device",
            "backprop",
            "adjoint",
            "parameter-shift",
            "hadamard",
            "reversed-hadamard",
            "direct-hadamard",
            "reversed-direct-hadamard",
            "finite-diff",
            "spsa",
        )
    ),
}
"""What the common keys take, but for noise, which has a grammar of its own."""
COMMON_KEYS = ("shots", "seed", "mode", "pack", "noise", "wires", "diff_method")
MOST_CHARACTERS = 1000
GRAMMAR = "NAME?key=value&key=value"


@dataclass(frozen=True)
class DeviceSpec:
    """Which simulator or quantum computer runs the circuits, and how.

    A spec is made of plain values only, so it is saved with a head, compared and hashed; it holds no live device, and
    of options only those that the device's `Adapter` declares, so that no credential finds a place.

    Args:
        name: PennyLane device name, such as ``"lightning.qubit"``.
        shots: circuit repetitions; None asks for exact expectation values.
        seed: seed of the shots; None draws fresh noise.
        mode: ``"interpolated"`` runs nine probes a block, ``"direct"`` one circuit a block and embedding.
        pack: blocks side by side in one circuit; None takes the device's own choice.
        noise: noise after every gate and before the readout, see `hybrid_qproj.devices.noise.parse_noise`.
        wires: number of device wires; None takes what the circuits need.
        diff_method: PennyLane gradient method; None takes the device's best.
        options: keys and values for the device's own constructor, as its adapter declares them.
        order: keys in the order in which they were written, so that ``str`` gives back the same string.

    Raises:
        DeviceSpecError: a value is not what its key takes, or the device takes no such key. What was given is not
            repeated, since it may be a secret.

    Examples:
        >>> spec = DeviceSpec.parse("default.qubit?shots=1000&seed=7")
        >>> spec.shots, spec.seed, spec.mode
        (1000, 7, 'interpolated')
        >>> str(spec)
        'default.qubit?shots=1000&seed=7'
    """

    name: str
    shots: int | None = None
    seed: int | None = None
    mode: str = "interpolated"
    pack: int | None = None
    noise: str | None = None
    wires: int | None = None
    diff_method: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    order: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\-]{0,47}", self.name):
            raise DeviceSpecError(
                "what was given is no device name; expected something like 'default.qubit' or "
                "'default.qubit?shots=1000&seed=7'"
            )
        default = {"mode": MODES[0]}
        for key, kind in COMMON.items():
            value = getattr(self, key)
            if value != default.get(key):
                _check_value(self.name, key, value, kind)
        if self.noise is not None:
            parse_noise(self.noise)
        keys = [key for key, _ in self.options]
        known = adapter_for(self.name).options
        for number, (key, value) in enumerate(self.options, 1):
            if key not in known or key in COMMON_KEYS or keys.count(key) > 1:
                raise DeviceSpecError(_no_such_key(self.name, key, number, keys))
            _check_value(self.name, key, value, known[key])

    @classmethod
    def parse(cls, text: str | DeviceSpec) -> DeviceSpec:
        """Read ``NAME?key=value&key=value``.

        Args:
            text: the string; a spec is returned as it is.

        Returns:
            the spec.

        Raises:
            DeviceSpecError: the text does not follow the grammar.
        """
        if isinstance(text, DeviceSpec):
            return text
        if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
            raise DeviceSpecError(
                f"what was given is no device string; expected {GRAMMAR}, at most {MOST_CHARACTERS} characters"
            )
        name, separator, query = text.strip().partition("?")
        table: dict[str, Any] = {"name": name}
        if separator and not query:
            raise DeviceSpecError(f"nothing follows '?' in a device string; expected {GRAMMAR}")
        for number, pair in enumerate(query.split("&") if query else [], 1):
            key, equals, value = pair.partition("=")
            if not (key and equals and value):
                raise DeviceSpecError(f"pair number {number} of a device string is not key=value; expected {GRAMMAR}")
            if key in table:
                raise DeviceSpecError(f"the key of pair number {number} of a device string is given twice")
            table[key] = _value(value)
        return cls.from_table(table)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> DeviceSpec:
        """Build a spec from a TOML or JSON table.

        Args:
            table: ``name`` and any other keys; keys not common to all devices become options.

        Returns:
            the spec.

        Raises:
            DeviceSpecError: ``name`` is missing, or a value is not what its key takes.
        """
        if "name" not in table:
            known = [key for key in COMMON_KEYS if key in table]
            raise DeviceSpecError(f"a device table needs the key 'name'; got keys {', '.join(known) or 'none known'}")
        common = {key: table[key] for key in COMMON_KEYS if key in table}
        options = tuple((key, value) for key, value in table.items() if key not in ("name", *COMMON_KEYS))
        return cls(name=table["name"], options=options, order=tuple(k for k in table if k != "name"), **common)

    def table(self) -> dict[str, Any]:
        """The spec as a table of plain values; defaults are left out. Inverse of `from_table`."""
        default = DeviceSpec(self.name)
        given = {k: getattr(self, k) for k in COMMON_KEYS if getattr(self, k) != getattr(default, k)}
        given.update(self.options)
        written = [key for key in self.order if key in given]
        return {"name": self.name, **{key: given[key] for key in (*written, *given)}}

    def option(self, key: str) -> Any:
        """Value of a device option; None if it is not given."""
        return dict(self.options).get(key)

    def replace(self, **changes: Any) -> DeviceSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        table = self.table()
        query = "&".join(f"{key}={_text(value)}" for key, value in table.items() if key != "name")
        return f"{self.name}?{query}" if query else self.name


def shown(name: str) -> str:
    """A device name for an error: that of an unknown device only if it is made of words, as no credential is."""
    words = re.fullmatch(r"[A-Za-z_]{1,16}([.\-][A-Za-z_]{1,16}){0,2}", name)
    return repr(name) if name in ADAPTERS or words else f"of {len(name)} characters"


def _check_value(name: str, key: str, value: Any, kind: Kind) -> None:
    if not kind.accepts(value):
        hint = suggestion(str(value), kind.words) if isinstance(kind, Choice) else ""
        raise DeviceSpecError(f"{key} for device {shown(name)}: expected {kind.expected}{hint}")


def _no_such_key(name: str, key: Any, number: int, keys: Iterable[Any]) -> str:
    adapter = adapter_for(name)
    exist = (*COMMON_KEYS, *adapter.options)
    # A word of the table is nobody's secret.
    known = {*COMMON_KEYS, *(option for other in ADAPTERS.values() for option in other.options)}
    told = repr(key) if key in known else f"key such as its option number {number}"
    hint = suggestion(str(key), exist, otherwise=";") if key not in exist else ";"
    if list(keys).count(key) > 1 or key in COMMON_KEYS:
        return f"device {shown(name)}: option number {number} is given twice"
    where = f"the environment variable {' and '.join(adapter.secrets)}" if adapter.secrets else "the environment"
    own = "" if name in ADAPTERS else ". A row in hybrid_qproj.devices.ADAPTERS declares options of another plugin"
    return (
        f"device {shown(name)} takes no {told}{hint} keys that exist: {', '.join(exist)}. Strings are printed and "
        f"saved: credentials go into {where}{own}"
    )


def _value(text: str) -> Any:
    """A number or a boolean where the text is one, in ASCII and of a length that is worth reading."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return int(text)
    if re.fullmatch(r"[+-]?([0-9]{1,19}\.[0-9]{0,19}|\.?[0-9]{1,19})([eE][+-]?[0-9]{1,3})?", text):
        return float(text)
    return text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
