"""The HTML around the sample's texts: one function per kind of site, each with the surroundings that such sites have.

Only pages that hold more than the text test main text extraction. So every template but `bare` and `print` has
navigation, breadcrumbs, side lists, share buttons, a cookie notice and a footer, in varying order and markup.
"""

import html
import json
from collections.abc import Callable
from typing import NamedTuple

from sites import Page, Site

_STYLE = "body{font-family:sans-serif;line-height:1.8}nav ul{display:flex;list-style:none}.side{width:30%;float:right}"


class Block(NamedTuple):
    """A part of a body: a `heading` or `paragraph` with one line, or a `list` with one line per item."""

    kind: str
    lines: list[str]


def blocks(body: str) -> list[Block]:
    """The parts of `body`: paragraphs between blank lines, `## ` headings, lists of lines that start with `- `."""
    parts = []
    for chunk in body.strip("\n").split("\n\n"):
        lines = [line for line in chunk.split("\n") if line.strip()]
        if lines and lines[0].startswith("## "):
            parts.append(Block("heading", [lines[0][3:]]))
            lines = lines[1:]
        if lines and all(line.startswith("- ") for line in lines):
            parts.append(Block("list", [line[2:] for line in lines]))
        elif lines:
            parts.append(Block("paragraph", ["".join(lines)]))
    return parts


def render(site: Site, page: Page) -> str:
    """The HTML of `page` of `site`, in the template that the page names. Raises KeyError for an unknown template."""
    return _TEMPLATES[page.template](site, page)


def _text(value: str) -> str:
    return html.escape(value, quote=False)


def _main(parts: list[Block], heading: str = "h2") -> str:
    rendered = []
    for part in parts:
        if part.kind == "heading":
            rendered.append(f"<{heading}>{_text(part.lines[0])}</{heading}>")
        elif part.kind == "list":
            items = "".join(f"<li>{_text(line)}</li>" for line in part.lines)
            rendered.append(f"<ul>{items}</ul>")
        else:
            rendered.append(f"<p>{_text(part.lines[0])}</p>")
    return "\n".join(rendered)


def _head(site: Site, page: Page, extra: str = "") -> str:
    language = "" if page.lang == "none" else f' lang="{page.lang}"'
    charset = "" if page.meta_charset == "none" else f'<meta charset="{page.meta_charset}">\n'
    return f"""<!DOCTYPE html>
<html{language}>
<head>
{charset}<title>{_text(page.title)} | {_text(site.site)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{_STYLE}</style>
{extra}</head>
"""


def _links(items: list[str], folder: str) -> str:
    linked = (f'<li><a href="{folder}{number}.html">{_text(item)}</a></li>' for number, item in enumerate(items, 1))
    return f"<ul>{''.join(linked)}</ul>"


def _navigation(site: Site) -> str:
    return f'<nav class="global-nav">{_links(site.navigation, "/section/")}</nav>'


def _breadcrumbs(site: Site) -> str:
    section = _text(site.navigation[0])
    return f'<div class="breadcrumb"><a href="/">{_text(site.home)}</a> &gt; <a href="/section/1.html">{section}</a></div>'


def _share(site: Site) -> str:
    buttons = "".join(f'<button type="button">{_text(label)}</button>' for label in site.share)
    return f'<div class="share-buttons">{buttons}</div>'


def _side(site: Site) -> str:
    return f'<aside class="side sidebar"><h3>{_text(site.side_title)}</h3>{_links(site.sidebar, "/recent/")}</aside>'


def _cookie(site: Site) -> str:
    notice = f"<p>{_text(site.cookie)}</p><button>{_text(site.agree)}</button>"
    return f'<div id="cookie-banner" class="cookie-consent" role="dialog">{notice}</div>'


def _foot(site: Site) -> str:
    lines = "".join(f"<p>{_text(line)}</p>" for line in site.footer)
    return f'<footer class="site-footer">{_links(site.navigation[:3], "/section/")}{lines}</footer>'


def _day(page: Page) -> str:
    return f"{page.date:%Y-%m-%d}"


def _blog(site: Site, page: Page) -> str:
    return f"""{_head(site, page)}<body class="blog">
<header><a href="/">{_text(site.site)}</a>{_navigation(site)}</header>
<main>
{_breadcrumbs(site)}
<article class="entry">
<h1>{_text(page.title)}</h1>
<time datetime="{_day(page)}">{_day(page)}</time>
<div class="entry-content">
{_main(blocks(page.body))}
</div>
{_share(site)}
</article>
</main>
{_side(site)}
{_foot(site)}
{_cookie(site)}
</body>
</html>
"""


def _news(site: Site, page: Page) -> str:
    described = {"@context": "https://schema.org", "@type": "NewsArticle", "headline": page.title}
    # JSON escapes everything outside ASCII, so that this part is the same in every encoding.
    extra = f'<script type="application/ld+json">{json.dumps(described)}</script>\n'
    return f"""{_head(site, page, extra)}<body>
{_cookie(site)}
<div id="header"><h2><a href="/">{_text(site.site)}</a></h2>{_navigation(site)}</div>
{_breadcrumbs(site)}
<div id="wrapper">
<article>
<h1 class="headline">{_text(page.title)}</h1>
{_share(site)}
<p class="date">{_day(page)}</p>
<div class="article-body">
{_main(blocks(page.body), "h3")}
</div>
</article>
{_side(site)}
</div>
{_foot(site)}
<script>window.dataLayer=window.dataLayer||[];function track(){{dataLayer.push(arguments)}}</script>
</body>
</html>
"""


def _docs(site: Site, page: Page) -> str:
    return f"""{_head(site, page)}<body>
<div class="topbar"><a href="/">{_text(site.site)}</a><form action="/search" role="search"><input name="q"></form></div>
<div class="layout">
<nav class="sidebar toc">{_links(site.sidebar, "/chapter/")}</nav>
<main class="content" role="main">
{_breadcrumbs(site)}
<h1>{_text(page.title)}</h1>
{_main(blocks(page.body))}
</main>
</div>
<div class="pager">{_links(site.navigation[:2], "/chapter/")}</div>
{_foot(site)}
{_cookie(site)}
</body>
</html>
"""


def _shop(site: Site, page: Page) -> str:
    tiles = "".join(f'<a class="tile" href="/item/{number}">{_text(item)}</a>' for number, item in enumerate(site.sidebar))
    return f"""{_head(site, page)}<body id="shop">
{_cookie(site)}
<div class="header"><span class="logo">{_text(site.site)}</span>{_navigation(site)}</div>
<div class="container">
{_breadcrumbs(site)}
<h1>{_text(page.title)}</h1>
<div class="item-description">
{_main(blocks(page.body), "h3")}
</div>
<table class="spec"><tr><th>受注</th><td>随時</td></tr><tr><th>発送</th><td>三日以内</td></tr></table>
<button class="cart">カートに入れる</button>
{_share(site)}
</div>
<div class="related">{tiles}</div>
{_foot(site)}
</body>
</html>
"""


def _forum(site: Site, page: Page) -> str:
    """A thread in which each heading of the body begins a post."""
    posts: list[list[Block]] = [[]]
    for part in blocks(page.body):
        if part.kind == "heading" and posts[-1]:
            posts.append([])
        posts[-1].append(part)
    rendered = "\n".join(
        f'<div class="post" id="post-{number}"><div class="post-meta">#{number} {_day(page)}</div>\n'
        f'<div class="post-body">\n{_main(post, "h3")}\n</div></div>'
        for number, post in enumerate(posts, 1)
    )
    return f"""{_head(site, page)}<body>
<div class="bar">{_navigation(site)}</div>
{_breadcrumbs(site)}
<main class="thread">
<h1>{_text(page.title)}</h1>
{rendered}
</main>
{_side(site)}
{_foot(site)}
{_cookie(site)}
</body>
</html>
"""


def _print(site: Site, page: Page) -> str:
    return f"""{_head(site, page)}<body class="print" onload="window.print()">
<article>
<h1>{_text(page.title)}</h1>
{_main(blocks(page.body))}
</article>
</body>
</html>
"""


def _bare(site: Site, page: Page) -> str:
    return f"""{_head(site, page)}<body>
<article>
{_main(blocks(page.body))}
</article>
</body>
</html>
"""


def _index(site: Site, page: Page) -> str:
    """A page that links to others and has no text of its own."""
    return f"""{_head(site, page)}<body class="index">
{_navigation(site)}
{_side(site)}
{_foot(site)}
</body>
</html>
"""


_TEMPLATES: dict[str, Callable[[Site, Page], str]] = {
    "blog": _blog,
    "news": _news,
    "docs": _docs,
    "shop": _shop,
    "forum": _forum,
    "print": _print,
    "bare": _bare,
    "index": _index,
}
