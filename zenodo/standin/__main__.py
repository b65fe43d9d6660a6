"""Serve a stand-in archive until Ctrl-C: ``python -m standin --folder BUNDLES``."""

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


def main(arguments: list[str] | None = None) -> None:
    """
    Serve, and say how to use it.

    Parameters
    ----------
    arguments : list of str, optional
        Of the command line.
    """
    options = _parser().parse_args(arguments)
    site = StandIn(options.port, added_latency=options.latency, doi_prefix="10.5072")
    scopes = frozenset(("deposit:write", "deposit:actions"))
    token = options.token or site.token()
    site.store.tokens[token] = Token(token, "1", scopes)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with site, tempfile.NamedTemporaryFile("w", suffix=".toml") as configuration:
        for folder in options.folder:
            _publish(site, folder, options.community)
        configuration.write(
            f'[sandbox]\nurl = "{site.url}"\nresolver = "{site.resolver}"\n'
            'doi_prefix = "10.5072/zenodo."\n'
        )
        configuration.flush()
        print(f"# a stand-in archive at {site.url}; Ctrl-C ends it")
        print(f"export LIMEN_SITES={configuration.name}")
        print(f"export ZENODO_SANDBOX_TOKEN={token}", flush=True)
        done.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="by default a free one")
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="a bundle, or a folder of bundles; repeatable",
    )
    parser.add_argument("--community", default="limen", help="where they are published")
    parser.add_argument("--token", default="", help="a token to accept; by default a new one")
    parser.add_argument("--latency", type=float, default=0.0, help="added to each answer [s]")
    return parser


def _publish(site: StandIn, folder: Path, community: str) -> None:
    bundles = [folder] if (folder / "bundle.json").is_file() else sorted(folder.iterdir())
    for bundle in bundles:
        if not (bundle / "bundle.json").is_file():
            continue
        manifest: dict[str, Any] = json.loads((bundle / "bundle.json").read_text())
        title = str(manifest.get("title", bundle.name))
        record = site.publish(bundle, title, community=community)
        print(f"# {record.doi}  {title}")


if __name__ == "__main__":
    main()
