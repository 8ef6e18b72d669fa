"""Runs the server: `python -m serving.embedded`."""

import logging
import os
import sys
import warnings

from base.errors import UserError
from base.native_log import native_log_discarded
from base.tensorflow_environment import import_without_keras
from serving.embedded.memory import keep_in_few_arenas
from serving.embedded.options import parse_options


def main() -> int:
    """Serve as the command line says, and return the exit code."""
    try:
        options = parse_options(sys.argv[1:])
        keep_in_few_arenas()
        # Before TensorFlow is imported. What it logs as errors are complaints about CUDA; those of
        # a model are raised.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
        )
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")

        from serving.embedded.config_files import read_settings
        from serving.embedded.listeners import listen

        settings = read_settings(options)
        listeners = listen(options, settings.tls)

        with native_log_discarded():
            import_without_keras()
            from serving.embedded.server import serve

        serve(options, settings, listeners)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
