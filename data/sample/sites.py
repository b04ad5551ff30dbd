"""The sites of the sample as pages/*.yaml describes them: what was written by hand, and what must become of it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

PAGES = Path(__file__).resolve().parent / "pages"


class SampleError(Exception):
    """A page that cannot be built as written; the message names the file, the page and the fault."""


class Written(BaseModel):
    """Base class of everything written by hand: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(Written):
    """What must become of a record: `kept`, or the stage and the first rule that drop it."""

    stage: Literal["kept", "extract", "quality", "dedup", "hosts"] = "kept"
    rule: str = ""
    also: list[str] = []  # other rules of the same stage that fail
    survivor: str = ""  # the URL that is kept instead of a duplicate


class Page(Written):
    """One capture of one address. The README explains the keys."""

    path: str = Field(pattern="^/")
    date: Annotated[datetime, AfterValidator(lambda date: date.astimezone(UTC))]
    title: str = ""
    body: str = ""
    copy_of: str = ""  # the URL whose body this page repeats
    changes: dict[str, str] = {}  # passages of the repeated body, each found there exactly once, and their replacements
    expect: Expectation = Expectation()
    personal_data: dict[str, int] = {}
    edits: list[str] = []
    contains: list[str] = []  # passages that the final text must contain
    template: str = ""
    encoding: str = "utf-8"
    meta_charset: str = "utf-8"
    http_charset: str = "none"
    lang: str = "ja"
    status: str = "200 OK"
    content_type: str = "text/html"
    headers: dict[str, str] = {}
    content_encoding: Literal["", "gzip", "br", "broken gzip"] = ""
    transfer_encoding: Literal["", "chunked"] = ""
    record: Literal["response", "request", "metadata", "revisit", "truncated", "twice"] = "response"


class Site(Written):
    """A host and what its pages share. `defaults` holds keys of `Page` for all of its pages."""

    host: str = Field(pattern=r"^([a-z0-9-]+\.)+example$")
    site: str
    template: str
    navigation: list[str] = Field(min_length=2)
    sidebar: list[str] = Field(min_length=1)
    footer: list[str] = Field(min_length=1)
    home: str = "ホーム"
    side_title: str = "最近の投稿"
    share: list[str] = ["シェアする", "ブックマーク", "URLをコピー"]
    cookie: str = "当サイトでは、使いやすさの改善のためにクッキーを使用しています。"
    agree: str = "同意する"
    defaults: dict[str, Any] = {}
    pages: list[Page] = Field(min_length=1)


class Capture(NamedTuple):
    """A page and the site that it belongs to."""

    site: Site
    page: Page

    @property
    def url(self) -> str:
        """The address of the page, always with https."""
        return f"https://{self.site.host}{self.page.path}"


def read_captures(folder: Path = PAGES) -> list[Capture]:
    """All captures of all sites in `folder`, oldest first, with repeated bodies filled in.

    Raises SampleError for an unknown key, a capture named twice, or a repetition of a page that does not exist.
    """
    captures = [capture for path in sorted(folder.glob("*.yaml")) for capture in _read_site(path)]
    identities = Counter((capture.url, capture.page.date, capture.page.record) for capture in captures)
    if repeated := [url for (url, _, _), count in identities.items() if count > 1]:
        raise SampleError(f"captures of one address and one date: {repeated}")
    own = [capture for capture in captures if capture.page.record == "response" and not capture.page.copy_of]
    bodies = {capture.url: capture.page.body for capture in own}
    filled = [_filled(capture, bodies) for capture in captures]
    return sorted(filled, key=lambda capture: (capture.page.date, capture.url, capture.page.record))


def _read_site(path: Path) -> list[Capture]:
    try:
        site = Site.model_validate(_with_defaults(yaml.safe_load(path.read_text("utf-8"))))
    except (yaml.YAMLError, ValidationError) as error:
        raise SampleError(f"{path}: {error}") from error
    if path.name != f"{site.host}.yaml":
        raise SampleError(f"{path}: its host is {site.host!r}; the file must be called {site.host}.yaml")
    return [Capture(site, page) for page in site.pages]


def _with_defaults(read: dict[str, Any]) -> dict[str, Any]:
    """`read`, with the site's defaults filled into each of its pages."""
    defaults = {"template": read.get("template", ""), **read.get("defaults", {})}
    return {**read, "pages": [{**defaults, **page} for page in read.get("pages", [])]}


def _filled(capture: Capture, bodies: dict[str, str]) -> Capture:
    page = capture.page
    if not page.copy_of:
        return capture
    if page.copy_of not in bodies:
        raise SampleError(f"{capture.url}: copy_of names {page.copy_of!r}, which is no page of the sample")
    body = bodies[page.copy_of]
    for old, new in page.changes.items():
        if body.count(old) != 1:
            raise SampleError(f"{capture.url}: {old!r} stands {body.count(old)} times in {page.copy_of}, not once")
        body = body.replace(old, new)
    return capture._replace(page=page.model_copy(update={"body": body}))
