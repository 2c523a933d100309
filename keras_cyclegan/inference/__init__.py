"""Translating images of any kind and size."""
