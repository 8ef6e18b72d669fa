from sample_images import encoded, picture, write_classes

from components.data_check.auditing import write_audit
from components.data_check.settings import FINDING, AuditSettings
from images.audit.findings import Audit, read_audit


def test_findings_are_told_and_written(tmp_path, capsys):
    images, folder = tmp_path / "images", tmp_path / "artifact"
    folder.mkdir()
    write_classes(images, each=8)
    (images / "class-1" / "90.png").write_bytes(encoded(picture(0, 0)))
    (images / "class-1" / "empty.png").touch()

    write_audit(str(images), AuditSettings(size=32), str(folder))

    told = capsys.readouterr().out
    assert f"{FINDING}warning: 1 picture has more than one class (class-0/0.png)" in told
    assert "unusable" not in told  # the ingestion has told it
    found = read_audit(folder / Audit.FILE)
    assert found.files == 26
    assert "unusable" in {one.kind for one in found.findings}


def test_a_failing_audit_fails_no_run(tmp_path, caplog):
    write_audit(str(tmp_path / "nowhere"), AuditSettings(), str(tmp_path))
    assert "The audit of the images failed" in caplog.text
    assert read_audit(tmp_path / Audit.FILE) is None
