#!/usr/bin/env bash
# Installs the packages named (by their Debian names) with apt-get or Homebrew, and starts none of their services.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }
give_up() { echo "tests/install.sh: $1" >&2; exit 1; }

# Debian's packages would make a cluster and start their services: asked not to, for as long as the installation lasts.
apt_script='
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/juscache-tests.conf
ours=("$no_cluster")
trap '\''rm -f "${ours[@]}"; rmdir -p "${no_cluster%/*}" 2>/dev/null || true'\'' EXIT
mkdir -p "${no_cluster%/*}"
echo "create_main_cluster = false" >"$no_cluster"
if [[ ! -e $policy ]]; then # one that is there is the business of the machine, and usually says the same
  ours+=("$policy")
  printf "#!/bin/sh\nexit 101\n" >"$policy"
  chmod 755 "$policy"
fi
apt-get update -q
apt-get install -qy --no-install-recommends "$@"
'

brew_install() {
  local package formulas=()
  for package in "$@"; do
    case $package in
      redis-server) formulas+=(redis) ;;
      postgresql) formulas+=(postgresql@17) ;;
      gcc) give_up "no C compiler; run: xcode-select --install" ;;
      libc6-dev) ;;
      *) formulas+=("$package") ;;
    esac
  done
  brew install "${formulas[@]}" # Homebrew starts no service by itself
}

echo "installing: $*" >&2
if have apt-get; then
  as_root=(bash)
  if [[ $(id -u) != 0 ]]; then
    have sudo || give_up "not root and no sudo here; install these by hand: $*"
    as_root=(sudo bash)
  fi
  "${as_root[@]}" -c "$apt_script" install "$@" </dev/null >&2
elif have brew; then
  brew_install "$@" >&2
else
  give_up "neither apt-get nor brew here; install these by hand: $*"
fi
