"""A device as a string: ``NAME?key=value&key=value``, parsed to a frozen `DeviceSpec` and back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hybrid_qproj.devices.adapters import adapter_for
from hybrid_qproj.errors import HybridQprojError

MODES = ("interpolated", "direct")
COMMON_KEYS = ("shots", "seed", "mode", "pack", "noise", "wires", "diff_method")
_SECRET = re.compile(r"token|secret|passw|api_?key|credential|access_?key", re.IGNORECASE)


class DeviceSpecError(HybridQprojError, ValueError):
    """A device string, table or key that cannot be understood or must not be written down."""


@dataclass(frozen=True)
class DeviceSpec:
    """Which simulator or quantum computer runs the circuits, and how.

    A spec is made of plain values only, so it is saved with a head, compared and hashed; it never holds a
    secret or a live device.

    Args:
        name: PennyLane device name, such as ``"lightning.qubit"``.
        shots: circuit repetitions; None asks for exact expectation values.
        seed: seed of the shots; None draws fresh noise.
        mode: ``"interpolated"`` runs nine probes a block, ``"direct"`` one circuit a block and embedding.
        pack: blocks side by side in one circuit; None takes the device's own choice.
        noise: noise after every gate and before the readout, see `hybrid_qproj.devices.noise.parse_noise`.
        wires: number of device wires; None takes what the circuits need.
        diff_method: PennyLane gradient method; None takes the device's best.
        options: keys and values for the device's own constructor.
        order: keys in the order in which they were written, so that ``str`` gives back the same string.

    Raises:
        DeviceSpecError: a value is out of its range, or a key looks like a secret.

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
        if not re.fullmatch(r"[A-Za-z][\w.\-]*", self.name):
            raise DeviceSpecError(
                f"{self.name!r} is no device name; expected something like 'default.qubit' or "
                "'default.qubit?shots=1000&seed=7'"
            )
        for key, least in (("shots", 1), ("seed", 0), ("pack", 1), ("wires", 2)):
            value = getattr(self, key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise DeviceSpecError(f"{key}={value!r} for device {self.name!r}: expected a whole number >= {least}")
        if self.mode not in MODES:
            hint = difflib.get_close_matches(str(self.mode), MODES, n=1) or MODES
            raise DeviceSpecError(
                f"mode={self.mode!r} for device {self.name!r}: expected one of {', '.join(MODES)}; "
                f"did you mean {hint[0]!r}?"
            )
        for key, _ in self.options:
            if _SECRET.search(key):
                # The value is left out of the message on purpose.
                variables = " and ".join(adapter_for(self.name).secrets) or "that the provider's own tools read"
                raise DeviceSpecError(
                    f"key {key!r} in the spec of {self.name!r} looks like a secret: specs are printed and saved. Leave "
                    f"it out and set the environment variable {variables}"
                )

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
        name, separator, query = text.strip().partition("?")
        table: dict[str, Any] = {"name": name}
        if separator and not query:
            raise DeviceSpecError(f"nothing follows '?' in {text!r}; expected NAME?key=value&key=value")
        for pair in query.split("&") if query else []:
            key, equals, value = pair.partition("=")
            if not (key and equals and value):
                raise DeviceSpecError(f"{pair!r} in {text!r} is not key=value")
            if key in table:
                raise DeviceSpecError(f"key {key!r} is given twice in {text!r}")
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
            DeviceSpecError: ``name`` is missing or a value is out of its range.
        """
        if "name" not in table:
            raise DeviceSpecError(f"a device table needs the key 'name'; got keys {', '.join(table) or 'none'}")
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


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.?\d+)([eE][+-]?\d+)?", text):
        return float(text)
    return text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
