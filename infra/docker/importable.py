"""Import every module of a package, so that an image without something that it needs is never made.

importable.py headrace.ingest
"""

import importlib
import pkgutil
import sys

SKIPPED = ("__main__", "migrations")  # what runs when it is imported


def main(package: str) -> None:
    """Import, or fail as the import does."""
    root = importlib.import_module(package)
    names = [each.name for each in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=raise_again)]
    for name in names:
        if not set(name.split(".")) & set(SKIPPED):
            importlib.import_module(name)
    print(f"{package}: {len(names)} modules")


def raise_again(_name: str) -> None:
    """`walk_packages` would pass over a package that cannot be imported."""
    raise


if __name__ == "__main__":
    main(sys.argv[1])
