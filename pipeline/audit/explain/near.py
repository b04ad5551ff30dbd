"""The pages nearest to a name that `explain` does not know: a host, a title, a part of an address, a typing error."""

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.views import columns_of
from pipeline.errors import UserError

SHOWN = 5
# Letters of the name that may be wrong, as a share: a typing error or a wrong ending, not another address.
_WRONG = 0.4


class UnknownPageError(UserError):
    """No record has the name; the message has the nearest pages."""


def unknown_page(ledger: Ledger, name: str) -> UnknownPageError:
    """The error for a name without a record, with up to SHOWN near pages."""
    lines = [f"{ledger.root} has no record of {name!r}; name a whole URL, a doc_id or a source_id"]
    pages = near_pages(ledger, name)
    if pages:
        lines += ["near ones are:", *(f"  {page}  {title}".rstrip() for page, title in pages)]
    else:
        lines.append(f'none is near; `python -m pipeline sql {ledger.root} "SELECT url FROM records"` lists all')
    return UnknownPageError("\n".join(lines))


def near_pages(ledger: Ledger, name: str) -> list[tuple[str, str]]:
    """Up to SHOWN pages as (URL or own id, title): those whose URL, own id or title contains `name`, or else those whose URL,
    own id or title differs in few letters. Shortest and nearest first."""
    wanted = name.strip().lower()
    if not wanted:
        return []
    own_id = "coalesce(r.source_id, '')" if "source_id" in columns_of(ledger, "records") else "''"
    columns = f"""
        SELECT coalesce(nullif(r.url, ''), nullif({own_id}, ''), r.doc_id) AS page, coalesce(d.title, '') AS title,
               lower(coalesce(r.url, '')) AS address, lower({own_id}) AS own_id, lower(coalesce(d.title, '')) AS of_title,
               r.doc_id AS doc_id
        FROM records r LEFT JOIN (SELECT part, doc_id, title FROM documents) d USING (part, doc_id)
        WHERE r.url <> '' OR {own_id} <> ''
    """
    # Which is better: an address with the host or path, then an id, then a title; among equals the shorter address.
    containing = f"""
        SELECT page, any_value(title) FROM ({columns})
        WHERE contains(address, $1) OR contains(own_id, $1) OR contains(of_title, $1) OR starts_with(doc_id, $1)
        GROUP BY page ORDER BY min(CASE WHEN contains(address, $1) THEN 0 WHEN contains(own_id, $1) THEN 1 ELSE 2 END),
        min(length(address)), page LIMIT {SHOWN}
    """
    alike = f"""
        SELECT page, any_value(title) FROM (
            SELECT page, title, list_min(list_transform([address, own_id, of_title],
                lambda known: CASE WHEN known = '' THEN 1.0 ELSE levenshtein(known, $1) / greatest(length(known), length($1)) END
            )) AS distance FROM ({columns})
        ) WHERE distance <= {_WRONG} GROUP BY page ORDER BY min(distance), page LIMIT {SHOWN}
    """
    return ledger.rows(containing, wanted) or ledger.rows(alike, wanted)
