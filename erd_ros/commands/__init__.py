"""The commands of ``erd``, one module each: light to import, heavy only when run."""
