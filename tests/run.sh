#!/usr/bin/env bash
# Passes the tests on a fresh machine: installs what they need, then runs them all. Arguments go to `cargo test`, for example
#   bash tests/run.sh --test it redis
# Debian, Ubuntu and the like (apt-get), and macOS (Homebrew). The tests start servers of their own on free ports; no service of this
# machine is started, stopped or spoken to.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have() { command -v "$1" >/dev/null 2>&1; }

# The same places as tests/it/support/postgres.rs. Debian keeps the programs that make a cluster out of PATH.
have_postgres() {
  local folder
  for folder in "$(dirname "$(command -v initdb || echo -)")" \
    /usr/lib/postgresql/*/bin /{opt/homebrew,usr/local}/opt/postgresql*/bin /usr/local/pgsql/bin; do
    [[ ! -x $folder/initdb || ! -x $folder/postgres || ! -x $folder/psql ]] || return 0
  done
  return 1
}

wanted=()
have redis-server || wanted+=(redis-server)
have_postgres || wanted+=(postgresql)
have cc || wanted+=(gcc libc6-dev)
have curl || wanted+=(curl)
have openssl || wanted+=(openssl)

((${#wanted[@]} == 0)) || bash tests/install.sh "${wanted[@]}"

[[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]] && PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
if ! have cargo; then
  echo "tests/run.sh: no cargo; get Rust from https://rustup.rs and run this again:" >&2
  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y" >&2
  exit 1
fi

exec cargo test --locked "$@"
