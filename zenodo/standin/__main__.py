"""
Stand in for Zenodo and its sandbox until Ctrl-C: ``python -m standin --folder BUNDLES``.

Zenodo holds the bundles, the first as 10.5281/zenodo.7000002; the sandbox is empty. The lines that
are printed make Limen go there, with a cache of its own that vanishes at the end.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

from standin.site import StandIn
from standin.store import Token

__all__ = ["main"]

_SCOPES = frozenset(("deposit:write", "deposit:actions"))


def main(arguments: list[str] | None = None) -> None:
    """
    Serve, and say how to use it.

    Parameters
    ----------
    arguments : list of str, optional
        Of the command line.
    """
    options = _parser().parse_args(arguments)
    zenodo = StandIn(options.port, added_latency=options.latency)
    sandbox = StandIn(added_latency=options.latency, doi_prefix="10.5072")
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with zenodo, sandbox, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        print(f"# stand-ins for Zenodo at {zenodo.url} and its sandbox at {sandbox.url}")
        for folder in options.folder:
            _publish(zenodo, folder, options.community)
        print("# Ctrl-C ends them; in another shell, give these lines first:")
        for line in _exports(zenodo, sandbox, Path(name), options.token):
            print(f"export {line}", flush=True)
        done.wait()


def _exports(zenodo: StandIn, sandbox: StandIn, folder: Path, token: str) -> list[str]:
    """Write the configuration of Limen, and give the variables that lead to it."""
    places = {"zenodo": zenodo, "sandbox": sandbox}
    tables = [
        f'[{name}]\nurl = "{site.url}"\nresolver = "{site.resolver}"\n'
        for name, site in places.items()
    ]
    (folder / "sites.toml").write_text("".join(tables), encoding="utf-8")
    tokens = []
    for name, site in places.items():
        accepted = token or site.token()
        site.store.tokens[accepted] = Token(accepted, "1", _SCOPES)
        tokens.append(f"{'ZENODO' if name == 'zenodo' else 'ZENODO_SANDBOX'}_TOKEN={accepted}")
    return [f"LIMEN_SITES={folder / 'sites.toml'}", f"LIMEN_CACHE={folder / 'cache'}", *tokens]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of Zenodo; by default a free one")
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="a bundle, or a folder of bundles; repeatable",
    )
    parser.add_argument("--community", default="limen", help="where they are published")
    parser.add_argument("--token", default="", help="a token to accept; by default new ones")
    parser.add_argument("--latency", type=float, default=0.0, help="added to each answer [s]")
    return parser


def _publish(site: StandIn, folder: Path, community: str) -> None:
    bundles = [folder] if (folder / "bundle.json").is_file() else sorted(folder.iterdir())
    for bundle in bundles:
        if not (bundle / "bundle.json").is_file():
            continue
        manifest: dict[str, Any] = json.loads((bundle / "bundle.json").read_text())
        title = str(manifest.get("title", bundle.name))
        words = [*manifest.get("keywords", ()), "limen-bundle"]
        facts = {
            "description": str(manifest.get("description", title)),
            "version": str(manifest.get("version", "1")),
            "subjects": [{"subject": str(word)} for word in words],
        }
        record = site.publish(bundle, title, facts, community=community)
        print(f"# {record.doi}  {title}")


if __name__ == "__main__":
    main()
