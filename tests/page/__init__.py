"""The page in a browser: Chromium, driven by scripts of `services/gateway/page/browser`."""
