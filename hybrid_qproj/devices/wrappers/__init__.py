"""One quirk of a plugin a file, each a device around a device."""
