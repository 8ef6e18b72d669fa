#!/usr/bin/env bash
# Draws the README's picture from a run's report, by headless Chromium.
#
#     tools/report_picture.sh runs/digits/runs/<run>/report.html
set -euo pipefail
page=$(realpath "$1")
cd "$(dirname "$0")/.."
"${CHROMIUM:-chromium}" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
    --window-size=1280,760 --screenshot=docs/images/report.png "file://$page" >/dev/null 2>&1
ls -l docs/images/report.png
