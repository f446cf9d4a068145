# Run a program as a user of its own, who can do nothing else:
#   unshare --mount --propagation=slave sh confined.sh UID STAGE [VISIBLE...] -- [COVERED...] -- PROGRAM [ARGUMENT...]
# That user could not reach files below a home folder that is its owner's alone. So in this mount namespace, which ends
# with the program, each COVERED folder is empty but for the folders VISIBLE below it. STAGE is an empty folder.
set -eu
umask 022
user=$1 stage=$2
shift 2
# Copies of other environments' network namespaces in this mount namespace would keep those alive.
while read -r _ target kind _; do
  if [ "$kind" = nsfs ]; then umount -l "$(printf %b "$target")"; fi
done </proc/self/mounts
mount -t tmpfs -o mode=0700 tmpfs "$stage"
cd "$stage" # stays reachable from here, even if it is below a folder that is covered
number=0
while [ "$1" != -- ]; do
  number=$((number + 1))
  mkdir "$number"
  mount --bind "$1" "$stage/$number"
  printf %s "$1" >"$number.path"
  shift
done
shift
while [ "$1" != -- ]; do
  mount -t tmpfs -o mode=0755 tmpfs "$1"
  shift
done
shift
for file in *.path; do
  [ -e "$file" ] || continue
  path=$(cat "$file")
  mkdir -p "$path"
  mount --no-canonicalize --bind "${file%.path}" "$path"
done
cd /
umask 077
exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
  --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@"
