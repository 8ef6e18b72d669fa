"""Runs `siamese` in this process."""

from typer.testing import CliRunner

from pipeline import cli


def siamese(*arguments):
    """The result of a command line; `everything` is what it printed, errors too."""
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    result.everything = result.output + getattr(result, "stderr", "")
    return result
