"""Routes that read: records, files, landing pages and DOIs."""

from __future__ import annotations

import html
from urllib.parse import unquote

from standin.answers import Answer, RefusalError, json_answer, page, redirect
from standin.call import RDM, ZENODO, Call
from standin.exports import EXPORTS
from standin.serving import serve_archive, serve_file
from standin.shapes import describe, file_entry, file_list, quoted, readable
from standin.store import GONE, Concept, Entry

__all__ = [
    "archive",
    "content",
    "doi_page",
    "file",
    "files",
    "home",
    "landing",
    "landing_file",
    "landing_latest",
    "latest",
    "old_page",
    "record",
    "record_answer",
    "resolve",
    "trailing",
]


def record(call: Call, number: str) -> Answer:
    """Give a record; a concept leads to its latest version."""
    concept = call.store.concepts.get(int(number))
    if concept is not None:
        return redirect(f"{call.api}/records/{_latest(call, concept).id}")
    return record_answer(call, call.store.published(int(number)))


def record_answer(call: Call, entry: Entry, status: int = 200) -> Answer:
    """Give a published record in the form asked for."""
    here = f"{call.api}/records/{entry.id}"
    headers = {
        "ETag": f'"{entry.revision}"',
        "Link": f'<{here}>; rel="linkset"; type="application/linkset+json"',
    }
    if call.accept in EXPORTS:
        headers["Content-Type"] = call.accept
        return Answer(status, headers, EXPORTS[call.accept](call, entry).encode())
    if call.accept not in ("*/*", "application/*", "application/json", RDM, ZENODO):
        raise RefusalError(406, "Invalid 'Accept' header.")
    kind = call.accept if call.accept in (RDM, ZENODO) else "application/json"
    return json_answer(describe(call, entry), status, headers, kind)


def _latest(call: Call, concept: Concept) -> Entry:
    entry = call.store.latest(concept)
    if entry is None:
        raise RefusalError(404, GONE)
    return call.store.published(entry.id)


def latest(call: Call, number: str) -> Answer:
    """Lead to the latest version, of a version or a concept."""
    entry = call.store.entries.get(int(number))
    concept = entry.concept if entry and entry.public else call.store.concepts.get(int(number))
    if concept is None:
        raise RefusalError(404, GONE)
    place = f"{call.api}/records/{_latest(call, concept).id}"
    document = {"status": 301, "message": "Moved Permanently", "location": place}
    return redirect(place, 301, document)


def _open(call: Call, number: str) -> Entry:
    entry = call.store.published(int(number))
    if not readable(call, entry):
        raise RefusalError(403, "Permission denied.")
    return entry


def files(call: Call, number: str) -> Answer:
    """List the files."""
    return json_answer(file_list(call, _open(call, number), draft=False))


def _named(entry: Entry, key: str) -> str:
    name = unquote(key)
    if name not in entry.files:
        raise RefusalError(404, f"Record '{entry.id}' has no file '{name}'.")
    return name


def file(call: Call, number: str, key: str) -> Answer:
    """Describe one file; never its bytes."""
    entry = _open(call, number)
    return json_answer(file_entry(call, entry, entry.files[_named(entry, key)], draft=False))


def content(call: Call, number: str, key: str) -> Answer:
    """Give the bytes of a file."""
    entry = _open(call, number)
    return serve_file(call, entry.files[_named(entry, key)])


def archive(call: Call, number: str) -> Answer:
    """Give all files as a zip."""
    return serve_archive(call, _open(call, number))


def trailing(call: Call) -> Answer:
    """Lead from the address with a final slash to the one without."""
    return redirect(f"{call.api}/records", 301)


def home(call: Call) -> Answer:
    """Give the first page."""
    return page("Stand-in archive", "<p>Records: see <a href='/api/records'>/api/records</a>.</p>")


def landing(call: Call, number: str) -> Answer:
    """Give the page of a record; a concept leads to its latest version."""
    concept = call.store.concepts.get(int(number))
    if concept is not None:
        return redirect(f"{call.base}/records/{_latest(call, concept).id}")
    entry = call.store.published(int(number))
    title = str(entry.content.metadata.get("title", ""))
    doi = html.escape(entry.doi)
    items = "".join(
        f'<li><a href="/records/{entry.id}/files/{html.escape(quoted(key))}?download=1">'
        f"{html.escape(key)}</a></li>"
        for key in (entry.files if readable(call, entry) else ())
    )
    head = f'<meta name="citation_doi" content="{doi}">'
    answer = page(title, f"<p>{doi}</p><ul>{items}</ul>", head=head)
    place = f"{call.api}/records/{entry.id}"
    answer.headers["Link"] = f'<{place}>; rel="linkset"; type="application/linkset+json"'
    return answer


def landing_latest(call: Call, number: str) -> Answer:
    """Lead to the page of the latest version."""
    place = latest(call, number).headers["Location"]
    return redirect(f"{call.base}/records/{place.rpartition('/')[2]}")


def landing_file(call: Call, number: str, key: str) -> Answer:
    """Give the bytes of a file at the address that people use."""
    return content(call, number, key)


def old_page(call: Call, rest: str) -> Answer:
    """Lead from an address before 2023 to the present one."""
    return redirect(f"{call.base}/records/{rest}")


def doi_page(call: Call, doi: str) -> Answer:
    """Lead from a DOI to the page of its record."""
    number = call.store.by_doi(unquote(doi))
    if number is None:
        raise RefusalError(404, GONE)
    return redirect(f"{call.base}/records/{number}")


def resolve(call: Call, doi: str) -> Answer:
    """Lead from a DOI to where it is registered; test DOIs are registered nowhere."""
    name = unquote(doi)
    if call.store.by_doi(name) is None or name.startswith("10.5072/"):
        raise RefusalError(404, "DOI Not Found")
    return redirect(f"{call.base}/doi/{name}")
