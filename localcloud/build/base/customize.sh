#!/bin/sh
# Run by mmdebstrap with the unpacked system as $1 and Python's version as $2. Makes Debian's Python look like that of the official image.
set -eu
root=$1 python=python$2

# The official image has its Python, pip and what pip installs in /usr/local.
chroot "$root" "$python" -m venv /usr/local
rm -f "$root/usr/lib/$python/EXTERNALLY-MANAGED"

# Time stamps are set to a constant afterwards, which invalidates bytecode that is checked by time.
chroot "$root" "$python" -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
	/usr/lib/$python /usr/local/lib/$python

# Whatever the machine trusts, a build on it has to trust as well.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
rm -rf "$root"/var/cache/* "$root"/var/log/* "$root"/tmp/* "$root"/var/lib/apt/lists/*
