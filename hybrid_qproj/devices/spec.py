"""A device as a string: ``NAME?key=value&key=value``, parsed to a frozen `DeviceSpec` and back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MODES = ("interpolated", "direct")
COMMON_KEYS = ("shots", "seed", "wires", "mode", "diff_method")
_SECRET = re.compile(r"token|secret|passw|api_?key|credential|access_?key", re.IGNORECASE)


class DeviceSpecError(ValueError):
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
        wires: number of device wires; None takes what the circuit needs.
        mode: ``"interpolated"`` runs nine probes a block, ``"direct"`` one circuit a block and embedding.
        diff_method: PennyLane gradient method; None takes the device's best.
        options: keys and values for the device's own constructor, in the order given.

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
    wires: int | None = None
    mode: str = "interpolated"
    diff_method: str | None = None
    options: tuple[tuple[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][\w.\-]*", self.name):
            raise DeviceSpecError(
                f"{self.name!r} is no device name; expected something like 'default.qubit' or "
                "'default.qubit?shots=1000&seed=7'"
            )
        for key, least in (("shots", 1), ("seed", 0), ("wires", 2)):
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
                raise DeviceSpecError(
                    f"key {key!r} in the spec of {self.name!r} looks like a secret: specs are printed and "
                    "saved. Keep it in the environment variable that the provider's own tools read"
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
        return cls(name=table["name"], options=options, **common)

    def table(self) -> dict[str, Any]:
        """The spec as a table of plain values; defaults are left out. Inverse of `from_table`."""
        default = DeviceSpec(self.name)
        common = {k: getattr(self, k) for k in COMMON_KEYS if getattr(self, k) != getattr(default, k)}
        return {"name": self.name, **common, **dict(self.options)}

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
