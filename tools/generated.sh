#!/bin/sh
# Fails when a generated file is not what its generator writes now. It compares contents, not commits, so that it also
# works on a tree with other changes in it.
set -eu
cd "$(dirname "$0")/.."
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
cp -R task/schema "$kept/schema"
go generate ./...
if ! diff -ru "$kept/schema" task/schema; then
	echo "generated files are stale: the ones that 'go generate ./...' just wrote are right" >&2
	exit 1
fi
