"""Teams are opened among the people of the statements' story."""

from tests.statements.conftest import story, whole_story

__all__ = ["story", "whole_story"]
