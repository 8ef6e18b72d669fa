"""The report of a run or of a judged model: `report.html`, one file, and `MODEL_CARD.md`.

Public interface: `pipeline.report.report.write_report` and the `Findings` that it takes.
"""
