"""Times of Moshi's steps: `make bench-moshi`."""
