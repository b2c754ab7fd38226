"""Forgetting a person on request, by two people, and giving people a copy of what is held about them."""
