#!/usr/bin/env bash
# Measures juscache's hits over HTTP beside nginx `proxy_cache` and Varnish serving the same bytes, on this machine, in one run:
#   bash tests/bench/run.sh [table.md]
# Installs what is missing (Debian, Ubuntu, macOS with Homebrew), starts everything on free loopback ports in a temporary folder, and ends
# what it started. It takes about three minutes, and a release build before that when there is none.
#
#   ROUNDS=5 ROUND_SECONDS=5 CONNECTIONS=64 THREADS=<cores>    how much is measured
#   JUSCACHE_BIN=path      measures that binary and builds none
#   BODY=file              measures nginx and Varnish alone, with that file as the body
set -euo pipefail

table=${1:-}
[[ -z $table || $table == /* ]] || table=$PWD/$table
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rounds=${ROUNDS:-5}
round_seconds=${ROUND_SECONDS:-5}
connections=${CONNECTIONS:-64}
threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
juscache=${JUSCACHE_BIN:-}
body=${BODY:-}
[[ -z $body ]] || body=$(cd "$(dirname "$body")" && pwd)/$(basename "$body")

# A process of the sandbox whose default answer is about 22 kB long.
cnj=1234567-13.2024.8.26.0100

have() { command -v "$1" >/dev/null 2>&1; }
say() { echo "bench: $*" >&2; }
give_up() { say "$1"; [[ -z ${2:-} || ! -f $2 ]] || tail -n 20 "$2" >&2; exit 1; }
PATH="$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:${CARGO_HOME:-$HOME/.cargo}/bin"

# Neither the settings of this shell nor a proxy have a say in what is measured.
unset DATABASE_URL REDIS_URL ${!JUSCACHE_@} ${!ESCAVADOR_@} ${!DATAJUD_@} ${!PG@}
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

# --- what is needed

# The folder of the newest whole PostgreSQL, as in tests/it/support/postgres.rs: a folder of links may hold a few of its programs.
postgres_folder() {
  local folder
  for folder in /usr/lib/postgresql/*/bin /{opt/homebrew,usr/local}/opt/postgresql*/bin /usr/local/pgsql/bin "$(dirname "$(command -v initdb)")"; do
    [[ ! -x $folder/initdb || ! -x $folder/postgres || ! -x $folder/pg_isready ]] || echo "$("$folder/postgres" --version | tr -dc '0-9. ' | tr -s ' ') $folder"
  done 2>/dev/null | sort -n | awk 'END { print $NF }'
}

wanted=()
for program in nginx wrk curl; do have $program || wanted+=($program); done
have varnishd || wanted+=(varnish)
if [[ -z $body ]]; then
  have redis-server || wanted+=(redis-server)
  [[ -n $(postgres_folder) ]] || wanted+=(postgresql)
fi
((${#wanted[@]} == 0)) || bash tests/install.sh "${wanted[@]}"

if [[ -z $body && -z $juscache ]]; then
  say "building juscache"
  cargo build --release --locked >&2
  juscache=${CARGO_TARGET_DIR:-target}/release/juscache
fi
[[ -z $juscache ]] || juscache=$(cd "$(dirname "$juscache")" && pwd)/$(basename "$juscache")

# --- everything that is started is ended, by its own pid, last first

here=$PWD/tests/bench
dir=$(mktemp -d /tmp/jc-bench-XXXXXX)
chmod 755 "$dir" # PostgreSQL runs as another user when this is root
pids=()
finish() {
  local code=$? n
  trap - EXIT INT TERM
  for ((n = ${#pids[@]} - 1; n >= 0; n--)); do
    kill -TERM "${pids[n]}" 2>/dev/null || continue
    for _ in $(seq 100); do kill -0 "${pids[n]}" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "${pids[n]}" 2>/dev/null || true
    wait "${pids[n]}" 2>/dev/null || true
  done
  rm -rf "$dir"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND…: in the background, in the bench's folder, writing to NAME.log there
start() {
  local name=$1
  shift
  (cd "$dir" && exec "$@" >"$dir/$name.log" 2>&1 </dev/null) &
  pids+=($!)
}

# wait_for NAME COMMAND…: until it succeeds, for at most 60 s
wait_for() {
  local name=$1 pid=${pids[${#pids[@]} - 1]}
  shift
  for _ in $(seq 600); do
    ! "$@" >/dev/null 2>&1 || return 0
    kill -0 "$pid" 2>/dev/null || give_up "$name ended instead of starting" "$dir/$name.log"
    sleep 0.1
  done
  give_up "$name does not answer" "$dir/$name.log"
}

# Below the ephemeral ports of Linux and macOS, so that no outgoing connection takes it in the meantime.
next_port=$((20000 + $$ % 11000))
free_port() { # sets `port`: a subshell could not remember which ports were given
  for _ in $(seq 500); do
    port=$((next_port++))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  give_up "no free port"
}

fill_in() { # the placeholders of a template
  local user=""
  [[ $(id -u) != 0 ]] || user="user root;"
  sed -e "s|@USER@|$user|" -e "s|@DIR@|$dir|" -e "s|@ORIGIN_PORT@|$origin_port|" -e "s|@NGINX_PORT@|$nginx_port|" "$1"
}

fetch() { curl -sS --fail --max-time 30 "$@"; }

# --- juscache, once for each copy that is measured, each with a database of its own

start_juscache() { # NAME SETTING…
  local name=$1
  shift
  free_port
  "$postgres/createdb" -h 127.0.0.1 -p "$postgres_port" -U postgres "$name"
  start "$name" env JUSCACHE_LISTEN="127.0.0.1:$port" JUSCACHE_DATA_DIR="$dir/$name/data" RUST_LOG=warn \
    DATABASE_URL="postgres://postgres@127.0.0.1:$postgres_port/$name" \
    ESCAVADOR_API_KEY=sandbox ESCAVADOR_BASE_URL="http://127.0.0.1:$sandbox_port" "$@" "$juscache" serve
  wait_for "$name" fetch "http://127.0.0.1:$port/health/live"
}

start_all_of_juscache() {
  free_port && redis_port=$port
  start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save "" --appendonly no --daemonize no
  wait_for redis redis-cli -p "$redis_port" ping

  postgres=$(postgres_folder)
  free_port && postgres_port=$port
  mkdir "$dir/postgres"
  as_plain=()
  if [[ $(id -u) == 0 ]]; then # PostgreSQL refuses to run as root
    local user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir/postgres"
    as_plain=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
  fi
  ${as_plain[@]+"${as_plain[@]}"} env LC_ALL=C "$postgres/initdb" -D "$dir/postgres/data" -U postgres --auth=trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
    give_up "initdb failed" "$dir/initdb.log"
  start postgres ${as_plain[@]+"${as_plain[@]}"} env LC_ALL=C "$postgres/postgres" -D "$dir/postgres/data" -h 127.0.0.1 -p "$postgres_port" -k "$dir/postgres"
  wait_for postgres "$postgres/pg_isready" -h 127.0.0.1 -p "$postgres_port" -U postgres

  free_port && sandbox_port=$port
  start sandbox "$juscache" sandbox --listen "127.0.0.1:$sandbox_port"
  wait_for sandbox curl -sS --max-time 2 "http://127.0.0.1:$sandbox_port/"

  start_juscache near REDIS_URL="redis://127.0.0.1:$redis_port/0"
  local path="/api/v1/process-movements/$cnj/detailed"
  add_target near "http://127.0.0.1:$port$path" memory
  body=$dir/near.json
  fetch "$near_url" >"$body"

  start_juscache redis_hits REDIS_URL="redis://127.0.0.1:$redis_port/1" JUSCACHE_NEAR_TTL=0s
  add_target redis "http://127.0.0.1:$port$path" redis
  start_juscache postgres_hits JUSCACHE_NEAR_TTL=0s JUSCACHE_REDIS_TTL=0s
  add_target postgres "http://127.0.0.1:$port$path" database
}

targets=()
add_target() { # NAME URL [cache_source]: warmed, and seen to be served from there
  local source n
  if [[ -n ${3:-} ]]; then
    for n in $(seq 20); do # a copy is written to every tier a moment after the first answer
      source=$(fetch "$2" | grep -o '"cache_source": *"[a-z_]*"' | head -n 1 | cut -d '"' -f 4 || true)
      [[ $source != "$3" ]] || break
      sleep 0.2
    done
    [[ $source == "$3" ]] || give_up "$1 is served from '$source', not '$3'"
  fi
  targets+=("$1")
  eval "$1_url=\$2"
}

[[ -n $body ]] || start_all_of_juscache

# --- nginx and Varnish, in front of those very bytes

free_port && origin_port=$port
free_port && nginx_port=$port
free_port && varnish_port=$port
mkdir "$dir/origin"
cp "$body" "$dir/origin/body.json"
chmod 644 "$dir/origin/body.json"
fill_in "$here/nginx.conf.template" >"$dir/nginx.conf"
fill_in "$here/default.vcl" >"$dir/default.vcl"

start nginx nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/nginx-error.log"
wait_for nginx fetch "http://127.0.0.1:$nginx_port/"
start varnish varnishd -F -j none -n "$dir/varnish" -a "127.0.0.1:$varnish_port" -T none -f "$dir/default.vcl" -s malloc,256m \
  -p thread_pools=2 -p thread_pool_min=200
wait_for varnish fetch "http://127.0.0.1:$varnish_port/"

for competitor in nginx varnish; do
  eval "url=http://127.0.0.1:\$${competitor}_port/"
  cmp -s "$body" <(fetch "$url") || give_up "$competitor does not serve the same bytes"
  fetch -o /dev/null -D - "$url" | tr -d '\r' | grep -qx 'X-Cache: HIT' || give_up "$competitor does not serve from its cache"
  eval "${competitor}_url=\$url"
done
targets=(nginx varnish ${targets[@]+"${targets[@]}"})

# --- the rounds: every target in turn, beginning at another one each time

# measure ROUND TARGET SECONDS: one line `round target requests_per_second p99_ms`
measure() {
  local url
  eval "url=\$$2_url"
  wrk -t "$threads" -c "$connections" -d "$3s" --timeout 10s --latency "$url" >"$dir/wrk.log"
  awk -v round="$1" -v target="$2" '
    $1 == "99%" { p99 = $2 + 0; if ($2 ~ /us$/) p99 /= 1000; else if ($2 ~ /[0-9]s$/) p99 *= 1000; else if ($2 ~ /m$/) p99 *= 60000 }
    $1 == "Requests/sec:" { rate = $2 }
    /Non-2xx|Socket errors/ { wrong = $0 }
    END {
      if (wrong != "" || rate + 0 == 0) { print "bench: " target ": " (wrong == "" ? "no request answered" : wrong) >"/dev/stderr"; exit 1 }
      print round, target, rate, p99
    }' "$dir/wrk.log"
}

((threads <= connections)) || threads=$connections
say "$rounds rounds of $round_seconds s for each of: ${targets[*]}"
for target in "${targets[@]}"; do measure 0 "$target" 1 >/dev/null; done # warm-up
for ((round = 1; round <= rounds; round++)); do
  for ((n = 0; n < ${#targets[@]}; n++)); do
    measure "$round" "${targets[(n + round - 1) % ${#targets[@]}]}" "$round_seconds" | tee -a "$dir/measured" >&2
  done
done

# --- the table

processor() { sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1 | grep . || sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m; }
report() {
  # The rows in one order, whichever target came first in a round.
  for target in "${targets[@]}"; do awk -v target="$target" '$2 == target' "$dir/measured"; done | awk -f "$here/report.awk"
  echo
  echo "Body $(wc -c <"$body" | tr -d ' ') bytes, $connections connections, $rounds rounds of $round_seconds s each in turn, medians; load generator (wrk) on the same" \
    "$(getconf _NPROCESSORS_ONLN) cores ($(processor), $(uname -s)); $(nginx -v 2>&1 | sed 's|.*nginx/|nginx |'), $(varnishd -V 2>&1 | sed -n 's/.*(varnish-\([0-9.]*\).*/Varnish \1/p')."
}
if [[ -n $table ]]; then report | tee "$table"; else report; fi
