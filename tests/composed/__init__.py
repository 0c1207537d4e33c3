"""The images and the Compose file, built and run by a real engine: `make compose-check`."""
