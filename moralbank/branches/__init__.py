"""The tree of places: district, street, hub, station. A hub keeps a book, its stations share it.

Knows no people.
"""
