"""Fairs take place among the neighbours of the river morning."""

from tests.activities.conftest import scene, settled

__all__ = ["scene", "settled"]
