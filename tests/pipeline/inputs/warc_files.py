"""Hand-made WARC records, so that tests know every byte of their input."""

import gzip

GOOD_PAGE = b"<html lang='ja'><title>t</title><body><p>page</p></body></html>"


def warc_record(
    number: int,
    body: bytes = GOOD_PAGE,
    kind: str = "response",
    length: int | None = None,
    http: str = "HTTP/1.1 200 OK\r\nContent-Type: text/html",
    headers: str = "",
    url: str | None = None,
) -> bytes:
    """One uncompressed record. `length` overrides the stated Content-Length; `http=""` leaves out the HTTP message."""
    block = (http + "\r\n\r\n").encode() + body if http else body
    stated = len(block) if length is None else length
    content_type = "application/http; msgtype=response" if http else "text/plain"
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\n"
        f"WARC-Date: 2024-01-{1 + number % 28:02d}T00:00:00Z\r\n"
        f"WARC-Target-URI: {url or f'http://site.example/{number}'}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {stated}\r\n{headers}\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def gzipped(records: list[bytes]) -> list[bytes]:
    """Each record as its own gzip member, as in Common Crawl; the bytes are the same each time."""
    return [gzip.compress(record, mtime=0) for record in records]
