"""The formats: one module each. A module here is found by its being here; nothing lists it."""
