# Read by bin/thanos and bin/thanosbench, which set $root, $program and $entry: picks what to run and the Node to run it
# with, sets the environment that Node reads before any of our code runs, and hands over.

node_major_needed=24

# A checkout runs its sources, with the Node that package.json pins.
find_checkout() {
  main=$root/src/cmd/$entry.ts
  node=$root/node_modules/.bin/node
  if [ ! -x "$node" ]; then
    echo "$program: the dependencies of this checkout are not installed; run \`npm ci\` in $root" >&2
    exit 1
  fi
  for source in "$root"/src/kernels/*.as.ts; do
    [ -e "$source" ] || continue
    kernel=${source##*/}
    if [ ! -e "$root/src/kernels/wasm/${kernel%.as.ts}.wasm" ]; then
      echo "$program: the kernels of this checkout are not built; run \`npm ci\` in $root" >&2
      exit 1
    fi
  done
}

# An installed package runs its bundle: with the npm package "node" inside or beside it, else with the node on PATH.
find_installed() {
  main=$root/dist/$entry.js
  if [ ! -e "$main" ]; then
    echo "$program: $main is missing; install the package again" >&2
    exit 1
  fi
  rejected=
  for node in "$root/node_modules/node/bin/node" "$root/../node/bin/node" "$(command -v node)"; do
    [ -x "$node" ] || continue
    version=$("$node" --version 2>/dev/null) || version=
    major=${version#v}
    major=${major%%.*}
    case $major in
      '' | *[!0-9]*) ;;
      *) [ "$major" -ge "$node_major_needed" ] && return ;;
    esac
    rejected="${rejected:+$rejected, }${version:-an unknown version} at $node"
  done
  echo "$program: needs Node.js $node_major_needed or newer, found ${rejected:-none};" \
    "put one on PATH or install the npm package \"node\" beside this one" >&2
  exit 1
}

# The compile cache saves 25 ms of a bundled start and more than half of one from sources. It holds code that is run
# later, so it lies where only this user writes. The folder is made here because Node (26.10) can spin for ever over one that it cannot make.
set_compile_cache() {
  [ -z "${NODE_COMPILE_CACHE:-}" ] || return 0
  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  [ -n "$cache" ] || return 0
  cache=$cache/thanos/compile
  [ -d "$cache" ] || mkdir -p "$cache" 2>/dev/null || return 0
  [ -w "$cache" ] || return 0
  NODE_COMPILE_CACHE=$cache
  export NODE_COMPILE_CACHE
}

# A checkout that was built and then stripped of its development dependencies (an image) runs like an installed package.
if [ ! -e "$root/src/cmd/$entry.ts" ]; then
  find_installed
elif [ ! -x "$root/node_modules/.bin/node" ] && [ -e "$root/dist/$entry.js" ]; then
  find_installed
else
  find_checkout
fi
set_compile_cache
if [ -z "${UV_THREADPOOL_SIZE:-}" ]; then
  # File reads block a thread each: some more than the cores that compute.
  UV_THREADPOOL_SIZE=$((4 + $(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 4)))
  export UV_THREADPOOL_SIZE
fi
# V8 counts the buffers of columns as part of each thread's heap. A query fills some 30 MB of them, and a heap that small would
# be marked as a whole several times a query: it may grow to so many MB before the first time.
exec "$node" --initial-old-space-size=128 "$main" "$@"
