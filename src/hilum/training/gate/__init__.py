"""Fits the gate that refuses pictures that are no axial chest CT slice."""
