"""Labelled data sets: importing, listing, grouping and splitting them. No model, HTTP or SQL."""
