"""The bank's periodic work: what there is, how it went, and how to do it by hand. Who may run it when: slots.py."""
