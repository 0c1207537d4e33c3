"""The engines, one file each behind the interface in `base`."""
