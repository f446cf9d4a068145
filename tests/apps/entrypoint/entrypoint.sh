#!/bin/sh
# Says what it does, as such scripts do.
set -e
. /opt/venv/bin/activate
case "$1" in
serve) exec gunicorn --config deploy/gunicorn.py "site_of_ours:create_app()" ;;
*) exec "$@" ;;
esac
