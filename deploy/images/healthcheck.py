"""What an image's HEALTHCHECK asks: whether its service takes work. Kubernetes has probes of its own."""

import os
import sys
import urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{os.environ['HTTP_PORT']}/readyz", timeout=3).close()
except OSError as error:  # refused, timed out, or the 503 of a service that is not ready
    sys.exit(str(error))
