"""One file a kind of recogniser."""
