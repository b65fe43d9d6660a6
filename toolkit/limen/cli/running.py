"""The group of verbs, exit codes, and what happens to errors."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import click

from limen import __version__, errors
from limen_zenodo import errors as archive

__all__ = ["EXIT_CODES", "PARTLY", "REFUSED", "campaign", "exit_code", "main"]

REFUSED, MISUSED, NOT_FOUND, CORRUPT, PARTLY = 1, 2, 3, 4, 5

# The first class that fits decides.
EXIT_CODES: tuple[tuple[type[errors.LimenError], int], ...] = (
    (errors.UsageError, MISUSED),
    (errors.BundleNotFoundError, NOT_FOUND),
    (errors.CampaignNotFoundError, NOT_FOUND),
    (errors.PartMissingError, NOT_FOUND),
    (errors.IntegrityError, CORRUPT),
    (archive.DepositError, REFUSED),
    (archive.ZenodoError, NOT_FOUND),
    (errors.LimenError, REFUSED),
)

_VERBS = {
    "add-model": ("limen.cli.modelling", "adopt_model"),
    "campaign": ("limen.cli.running", "campaign"),
    "app": ("limen.cli.serving", "serve_app"),
    "cache": ("limen.cli.fetching", "cache"),
    "check": ("limen.cli.inspecting", "check_bundle"),
    "cite": ("limen.cli.inspecting", "cite_bundle"),
    "demo": ("limen.cli.showing_off", "run_demo"),
    "deposit": ("limen.cli.depositing", "deposit_bundle"),
    "diff": ("limen.cli.inspecting", "diff_bundles"),
    "doctor": ("limen.cli.showing_off", "run_doctor"),
    "edit": ("limen.cli.authoring", "edit_bundle"),
    "export": ("limen.cli.extracting", "export_bundle"),
    "extend": ("limen.cli.extending", "extend_bundle"),
    "fetch": ("limen.cli.fetching", "fetch_bundle"),
    "freeze": ("limen.cli.authoring", "freeze_bundle"),
    "init": ("limen.cli.authoring", "draft_document"),
    "pack": ("limen.cli.authoring", "pack_bundle"),
    "predict": ("limen.cli.predicting", "predict_points"),
    "publish": ("limen.cli.depositing", "publish_draft"),
    "search": ("limen.cli.searching", "search_records"),
    "select": ("limen.cli.extracting", "select_rows"),
    "show": ("limen.cli.inspecting", "show_bundle"),
    "train": ("limen.cli.modelling", "train_model"),
}

_CAMPAIGN = {
    "ask": ("limen.cli.campaigning", "ask_points"),
    "predict": ("limen.cli.campaigning", "predict_points"),
    "run": ("limen.cli.running_campaigns", "run_campaign"),
    "start": ("limen.cli.starting", "start_campaign"),
    "status": ("limen.cli.reporting", "show_status"),
    "submitted": ("limen.cli.campaigning", "mark_submitted"),
    "tell": ("limen.cli.campaigning", "tell_results"),
}


def exit_code(error: errors.LimenError) -> int:
    """Give the exit code of an error."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


class _ToStderr(logging.Handler):
    """Warnings and progress, on what is stderr at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"limen: {record.getMessage()}", err=True)


class _Later(click.Group):
    """Verbs whose modules are imported when they are called."""

    verbs: ClassVar[Mapping[str, tuple[str, str]]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.verbs:
            return None
        import importlib

        module, name = self.verbs[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


class _Campaign(_Later):
    """What is done with a campaign."""

    verbs = _CAMPAIGN


class _Verbs(_Later):
    """All verbs; what an error means to the shell."""

    verbs = _VERBS

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.LimenError as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"limen: {error}", err=True)
            ctx.exit(exit_code(error))
        except BrokenPipeError:
            # The reader of our output went away (head, less): nothing is wrong.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--verbose", is_flag=True, help="Show progress although stderr is no terminal.")
@click.version_option(__version__, prog_name="limen")
def main(debug: bool, verbose: bool) -> None:
    """
    Publish, query and extend high-dimensional results on new-physics models.

    Exit codes: 0 done; 1 refused (what you gave does not pass); 2 misused; 3 network, or not found;
    4 integrity; 5 done in part (some rows refused, listed).
    """
    logger = logging.getLogger("limen")
    logger.handlers = [_ToStderr()]
    logger.setLevel(logging.INFO if verbose or sys.stderr.isatty() else logging.WARNING)


@click.group(cls=_Campaign)
def campaign() -> None:
    """Extend a result with the points that teach most: ask, evaluate, tell."""
