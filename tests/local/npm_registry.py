"""A registry of npm's with one package, on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def make_tarball(files: Mapping[str, bytes], name: str) -> bytes:
    """A package as npm publishes it: its files below `package/`."""
    packed = io.BytesIO()
    manifest = json.dumps({"name": name, "version": "1.0.0"}).encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, content in {"package.json": manifest, **files}.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@contextmanager
def npm_registry(name: str, tarball: bytes) -> Iterator[str]:
    """Serve version 1.0.0 of a package; yields the registry's URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"/{name}":
                integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
                dist = {"tarball": f"http://{self.headers['Host']}/{name}.tgz", "integrity": integrity}
                version = {"name": name, "version": "1.0.0", "dist": dist}
                document = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
                self._answer(200, json.dumps(document).encode())
            else:
                found = self.path == f"/{name}.tgz"
                self._answer(200 if found else 404, tarball if found else b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
