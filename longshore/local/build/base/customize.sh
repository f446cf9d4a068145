#!/bin/sh
# Run by mmdebstrap with the unpacked system as $1. Makes Debian's Python look like that of the official image.
set -eu
root=$1

# The official image has its Python, pip and what pip installs in /usr/local.
chroot "$root" python3.11 -m venv /usr/local
rm -f "$root/usr/lib/python3.11/EXTERNALLY-MANAGED"

# Time stamps are set to a constant afterwards, which invalidates bytecode that is checked by time.
chroot "$root" python3.11 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
	/usr/lib/python3.11 /usr/local/lib/python3.11

# Whatever the machine trusts, a build on it has to trust as well.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
rm -rf "$root"/var/cache/* "$root"/var/log/* "$root"/tmp/* "$root"/var/lib/apt/lists/*
