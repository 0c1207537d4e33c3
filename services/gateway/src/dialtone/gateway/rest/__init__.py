"""The HTTP interface: sessions, health, metrics; its errors and its keys."""
