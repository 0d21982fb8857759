#!/usr/bin/env bash
# Puts a MySQL server of Debian's unstable suite into a folder, with the libraries it needs, and prints the path of its `mysqld`
# for `MYSQL_PATH`. Nothing is installed in the system. Needs a Debian-based system.
#
#   MYSQL_PATH=$(scripts/mysql-server.sh FOLDER) npx vitest run test/integration/mysql2 test/contract/mysql2
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
program=$folder/mysqld
if [[ -x $program ]]; then
  echo "$program"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists,archives}/partial
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' | sed -n 's/^Debian //p' | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"
: >"$work/status"
# An empty status makes apt fetch every library, also those that the system has in an older version.
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State="$work" -o Dir::State::Lists="$work/lists" \
    -o Dir::State::status="$work/status" -o Dir::Cache="$work" -o Dir::Cache::Archives="$work/archives" \
    -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Acquire::Languages=none "$@" >&2
}
apt update
apt install --yes --download-only --no-install-recommends mysql-server-core
for package in "$work"/archives/*.deb; do dpkg-deb --extract "$package" "$work/root"; done

libraries=$(cd "$work/root/usr/lib" && echo *-linux-gnu)
mkdir -p "$folder/usr/lib" "$folder/usr/sbin" "$folder/usr/share"
cp -a "$work/root/usr/lib/$libraries" "$work/root/usr/lib/mysql" "$folder/usr/lib"
cp -a "$work/root/usr/sbin/mysqld" "$folder/usr/sbin"
cp -a "$work/root/usr/share/mysql" "$folder/usr/share"
loader=$(cd "$folder/usr/lib/$libraries" && echo ld-linux-*.so.*)
cat >"$program" <<SCRIPT
#!/bin/sh
# The loader and the libraries are those of the server's own suite.
exec $folder/usr/lib/$libraries/$loader --library-path $folder/usr/lib/$libraries $folder/usr/sbin/mysqld "\$@" --basedir=$folder/usr
SCRIPT
chmod 755 "$program"
"$program" --no-defaults --version >&2
echo "$program"
