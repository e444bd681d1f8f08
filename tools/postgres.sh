#!/bin/sh
# Makes sure that the Postgres server programs (initdb, postgres) are on this machine. Silent when they are. As root on
# Debian or Ubuntu it installs them, without a server of the distribution's own being set up or started; anywhere else it
# says what to install and fails. The places are those that package embedded looks in, in the same order.
set -eu

oldest=14 # the oldest release that weir works on

# usable DIR: the directory holds both programs, of a release that is new enough.
usable() {
	[ -n "$1" ] && [ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
	major=$("$1/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][0-9]*\).*/\1/p')
	[ -n "$major" ] && [ "$major" -ge "$oldest" ]
}

found() {
	if [ -n "${WEIR_PG_BIN:-}" ]; then
		usable "$WEIR_PG_BIN"
		return
	fi
	usable "$(pg_config --bindir 2>/dev/null || true)" && return 0
	on_path=$(command -v postgres || true)
	if [ -n "$on_path" ]; then
		# A link on the PATH says where the programs are, but initdb need not be linked beside it.
		usable "$(dirname "$(readlink -f "$on_path" 2>/dev/null || echo "$on_path")")" && return 0
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
		/usr/local/opt/postgresql@*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
		usable "$dir" && return 0
	done
	return 1
}

refuse() {
	echo "weir needs the Postgres server programs ($oldest or newer): $1" >&2
	exit 1
}

on_debian() {
	[ -r /etc/debian_version ] && command -v apt-get >/dev/null
}

# The setting is read when the server package is installed, so it has to be there before.
keep_debian_from_starting_a_server() {
	conf=/etc/postgresql-common/createcluster.conf
	mkdir -p "${conf%/*}"
	touch "$conf"
	if grep -q '^[[:space:]]*create_main_cluster' "$conf"; then
		sed -i 's/^[[:space:]]*create_main_cluster.*/create_main_cluster = false/' "$conf"
		return
	fi
	echo 'create_main_cluster = false' >>"$conf"
}

quietly() {
	log=$(mktemp)
	if ! DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		refuse "installing them did not work"
	fi
	rm -f "$log"
}

found && exit 0

[ -z "${WEIR_PG_BIN:-}" ] || refuse "there are none in WEIR_PG_BIN=$WEIR_PG_BIN"
case $(uname -s) in
Darwin) refuse "run: brew install postgresql@17" ;;
esac
on_debian || refuse "install your system's package postgresql-server, or name their directory in WEIR_PG_BIN"
[ "$(id -u)" = 0 ] || refuse "run: sudo apt-get install postgresql"

echo "installing the Postgres server programs (Debian's package postgresql)" >&2
quietly apt-get update
quietly apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends postgresql-common
keep_debian_from_starting_a_server
quietly apt-get -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends postgresql
found || refuse "Debian's package postgresql brought none of release $oldest or newer"
