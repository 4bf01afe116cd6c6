"""State that cannot be reached or trusted. Knows no database."""

from __future__ import annotations

from hilum.errors.root import HilumError


class StorageInvalid(HilumError):
    """State that cannot be reached or trusted."""

    code, status, exit_code, title = "storage-invalid", 503, 7, "The state cannot be used"


class DatabaseUnsupported(StorageInvalid):
    """The address names no database hilum can use."""

    code, title = "database-unsupported", "The database is of a kind hilum does not use"


class DatabaseUnavailable(StorageInvalid):
    """The database does not answer, or refuses."""

    code, title = "database-unavailable", "The database cannot be used"


class DatabaseOutdated(StorageInvalid):
    """The database has another revision than this version of hilum needs."""

    code, title = "database-outdated", "The database has another revision"


class BlobStoreUnsupported(StorageInvalid):
    """The address names no store hilum can use."""

    code, title = "blob-store-unsupported", "The store of images is of a kind hilum does not use"


class BlobStoreUnavailable(StorageInvalid):
    """The store of images does not answer, or refuses."""

    code, title = "blob-store-unavailable", "The store of images cannot be used"


class DiskFull(StorageInvalid):
    """The disk of the database or of the store of bytes is full; what was to be kept is not."""

    code, status, title = "disk-full", 507, "The disk is full"


class BlobMissing(StorageInvalid):
    """No bytes are kept under this hash."""

    code, title = "blob-missing", "The image is missing"


class BlobCorrupt(StorageInvalid):
    """The bytes kept under this hash are not those that were kept."""

    code, title = "blob-corrupt", "The kept image is damaged"


class BackupFailed(StorageInvalid):
    """The backup could not be made or restored."""

    code, title = "backup-failed", "The backup failed"


class BackupInvalid(StorageInvalid):
    """The file is no backup, or is damaged."""

    code, title = "backup-invalid", "The backup cannot be used"


class RestoreRefused(StorageInvalid):
    """There is state already, which restoring would overwrite."""

    code, title = "restore-refused", "There is state already"


class AuditLogBroken(StorageInvalid):
    """An event of the audit log was changed, deleted or moved."""

    code, title = "audit-log-broken", "The audit log is not what was written"
