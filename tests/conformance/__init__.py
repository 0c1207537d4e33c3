"""The official SDKs against a running stack."""
