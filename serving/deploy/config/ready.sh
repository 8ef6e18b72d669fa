#!/bin/bash
# Succeeds when a version of the model is AVAILABLE:
#
#     bash ready.sh MODEL [REST_PORT]
#
# The status code is not enough: TensorFlow Serving answers 200 also while a version is loading and
# after a load has failed. Its image has neither curl nor wget, so bash sends the request.
exec 3<>"/dev/tcp/127.0.0.1/${2:-8501}" || exit 1
printf 'GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
grep -Eq '"state": *"AVAILABLE"' <&3
