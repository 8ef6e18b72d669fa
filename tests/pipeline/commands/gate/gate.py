"""Runs `siamese gate`, whose exit code is its verdict."""

from command_line import siamese

BLESSED, FAILED, WRONG_USE, NOT_BLESSED, UNDECIDED = range(5)


def gate(code, *arguments):
    """What is printed, and the exit code is `code`."""
    result = siamese("gate", *arguments)
    assert result.exit_code == code, result.everything
    return result.everything


def gate_model(code, models, *arguments, model="good", images="labelled"):
    return gate(code, "--model", models / model, "--images", images, *arguments)
