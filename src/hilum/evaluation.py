"""Metrics of a classifier, each with its n and interval."""
