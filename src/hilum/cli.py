"""The command line."""


def main() -> None:
    """Starts hilum."""
