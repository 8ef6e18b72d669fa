"""What people look at: `report.html`, a page in one file, and `MODEL_CARD.md`.

Public interface: `pipeline.report.report.write_report` and the `Findings` that it takes. Any part
may be missing: a run that failed midway has no judgement, and an exported model that was judged by
itself has no run.
"""
