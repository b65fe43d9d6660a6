"""The verb app: bundles and campaigns in a browser."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from limen.errors import MissingExtraError, UsageError, install_line

__all__ = ["serve_app"]

_OWN = ("127.0.0.1", "::1", "localhost")
_NEEDED = ("streamlit", "altair", "starlette", "uvicorn")


@click.command()
@click.argument("places", nargs=-1, metavar="[BUNDLE|DOI|CAMPAIGN]...")
@click.option(
    "--port",
    default=8501,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="Port to listen at.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; 0.0.0.0 for other machines too.",
)
@click.option(
    "--open",
    "opening",
    is_flag=True,
    help="Let the page Bundles open further folders and DOIs; on this machine only.",
)
def serve_app(places: tuple[str, ...], port: int, host: str, opening: bool) -> None:
    """
    Show bundles in a browser: predict, browse, share; a REST side for programs.

    Without arguments it shows the bundles and campaigns in this folder.
    """
    if opening and host not in _OWN:
        raise UsageError(
            f"--open: found together with --host {host}, where visitors could open any folder of "
            f"this machine; allowed with {', '.join(_OWN)}. Name what is to be open as arguments"
        )
    for library in _NEEDED:
        try:
            importlib.import_module(library)
        except ImportError as error:
            raise MissingExtraError(
                f"app: {library} is not installed; {install_line('app')}"
            ) from error
    # By its name: the web side stands above the command line.
    server = importlib.import_module("limen_app.serving")
    click.echo(f"http://{_shown(host)}:{port} (stop with Ctrl-C)", err=True)
    server.serve(places or (str(Path.cwd()),), host=host, port=port, opening=opening)


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
