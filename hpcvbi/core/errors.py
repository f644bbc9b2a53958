"""The errors a user may meet: each message says what is wrong, where, and what to write instead."""


class HpcvbiError(Exception):
    """Everything this package raises on purpose."""


class ConfigError(HpcvbiError):
    """A study file or a declaration that cannot be run as written."""


class DataError(HpcvbiError):
    """A person's data that cannot be used as they are."""


class StoreError(HpcvbiError):
    """A store that cannot be read or written."""


class StoreMismatch(StoreError):
    """A store that belongs to another study."""


class StoreBusy(StoreError):
    """A store that another driver is writing."""


class KeyRefused(StoreError):
    """An encrypted store whose key is missing, wrong or not safe."""


class TooFewSurvivors(HpcvbiError):
    """Too few draws with finite features are left to learn from."""


class Stopped(HpcvbiError):
    """A run that was asked to stop; the same command resumes it."""


class OutOfTime(Stopped):
    """A run that stopped because its job's wall time is near."""


class ClusterError(HpcvbiError):
    """Workers that cannot be started, or that keep dying."""


class ExportError(HpcvbiError):
    """Results that cannot be written in another format, or not there."""
