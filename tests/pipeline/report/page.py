"""A report as a browser would read it."""

from html.parser import HTMLParser

from pipeline.report.report import REPORT, write_report


class Page(HTMLParser):
    """What a browser would make of a page."""

    VOID = ("meta", "img", "br", "wbr", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert not [tag for tag in self.open if tag != "li"], "left open"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open[-1] == "li" != tag:  # its end may be left out
            self.open.pop()
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "script" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def written(folder, findings):
    path = write_report(folder, findings)
    assert path == folder / REPORT
    text = path.read_text(encoding="utf-8")
    return Page(text), text
