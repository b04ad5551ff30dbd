"""A web server that serves a folder and fails on purpose."""

import http.server
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Faults:
    """How the server fails, and what it was asked.

    cut: bytes of a body after which the connection is closed. hang: the same, but the connection stays open and silent. Both
    happen to each second GET of a file. refusals: answers (status, headers) given to the first requests of a file, instead of it.
    ranges: whether it has ranges. length: what a full answer says of its length; "chunked" sends chunks instead. headers: further
    headers of each answer. version: of the files. at_once: how many HEAD requests must be there before one is answered.
    """

    cut: int | None = None
    hang: int | None = None
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    ranges: bool = True
    length: Callable[[int], int] | str = int
    headers: dict[str, str] = field(default_factory=dict)
    version: Callable[[int], str] = lambda asked: '"1"'
    at_once: int = 1
    url: str = ""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)
    barrier: threading.Barrier | None = None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults
    folder: Path

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.faults.barrier is not None:
            self.faults.barrier.wait(timeout=30)
        self._serve(with_body=False)

    def do_GET(self) -> None:
        self._serve(with_body=True)

    def _serve(self, with_body: bool) -> None:
        faults, path = self.faults, self.folder / self.path.lstrip("/")
        faults.asked[(self.command, self.path)] += 1
        asked = faults.asked[("HEAD", self.path)] + faults.asked[("GET", self.path)]
        if not path.is_file():
            return self._send(404, {"Content-Length": "0"})
        if asked <= len(faults.refusals):
            status, headers = faults.refusals[asked - 1]
            return self._send(status, {"Content-Length": "0", **headers})
        content = path.read_bytes()
        start, end = 0, len(content)
        wanted = self.headers.get("Range") if faults.ranges else None
        headers = {"ETag": faults.version(faults.asked[("GET", self.path)]), **faults.headers}
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(len(content), int(last) + 1)
            if start >= len(content):
                return self._send(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        body = content[start:end]
        is_chunked = faults.length == "chunked"
        if callable(faults.length):
            headers["Content-Length"] = str(faults.length(len(body)))
        else:
            headers["Transfer-Encoding"] = "chunked"
        self._send(206 if wanted else 200, headers)
        if with_body:
            self._send_body(body, is_chunked, fails=faults.asked[("GET", self.path)] % 2 == 1)

    def _send(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, body: bytes, is_chunked: bool, fails: bool) -> None:
        faults = self.faults
        limit = (faults.cut if faults.hang is None else faults.hang) if fails else None
        sent = body[:limit]
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if is_chunked else sent)
            self.wfile.flush()
            if limit is not None:
                if faults.hang is not None:
                    faults.ended.wait(timeout=30)
                self.close_connection = True
            elif is_chunked:
                self.wfile.write(b"0\r\n\r\n")
            elif callable(faults.length) and faults.length(len(body)) != len(body):
                self.close_connection = True
        except OSError:  # the client has gone
            self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # so that no connection of a test with many is refused

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are part of the tests


@contextmanager
def serving(folder: Path, faults: Faults | None = None) -> Iterator[Faults]:
    """Serve `folder` on this machine; the faults that come back have the server's `url`, with a slash at the end."""
    faults = faults or Faults()
    if faults.at_once > 1:
        faults.barrier = threading.Barrier(faults.at_once)
    handler = type("Handler", (_Handler,), {"faults": faults, "folder": folder})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        faults.url = f"http://127.0.0.1:{server.server_address[1]}/"
        try:
            yield faults
        finally:
            faults.ended.set()
            server.shutdown()
