"""Responses that a machine measured: their record, and the packs by which a long measurement goes on after a stop."""
