#!/bin/sh
# Builds the console. build.sh SOURCE WORK OUT [DEPFILE]
#   SOURCE   this folder; nothing is written to it
#   WORK     packages are installed here, once for each package-lock.json
#   OUT      the finished files: a folder that is replaced as a whole
#   DEPFILE  what it was made of, for ninja
# The packages are what package-lock.json names, checked against its hashes; none of their install scripts run.
set -eu
source=$1 work=$2 out=$3 depfile=${4:-}
mkdir -p "$work"
work=$(cd "$work" && pwd)
case $out in /*) ;; *) out=$(pwd)/$out ;; esac
case $depfile in '' | /*) ;; *) depfile=$(pwd)/$depfile ;; esac
cd "$source"
source=$(pwd)
lock=$(cat package.json package-lock.json | sha256sum)
if [ "$(cat "$work/installed" 2>/dev/null || true)" != "$lock" ]; then
  rm -rf "$work/node_modules" "$work/installed"
  cp package.json package-lock.json .npmrc "$work/"
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  printf '%s\n' "$lock" >"$work/installed"
fi
for name in index.html vite.config.ts tsconfig.json src public test; do
  rm -rf "${work:?}/$name"
  cp -R "$name" "$work/$name"
done
cd "$work"
./node_modules/.bin/vite build --logLevel warn --emptyOutDir --outDir "$out.new"
# As sekisho-api serves them to a browser that takes them so.
find "$out.new" -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.svg' \) -exec gzip -9 -k -n {} +
node -e '
  const fs = require("fs"), zlib = require("zlib");
  for (const name of process.argv.slice(1)) fs.writeFileSync(name + ".br", zlib.brotliCompressSync(fs.readFileSync(name)));
' $(find "$out.new" -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.svg' \))
# The reach: 300 kB of gzipped bundle.
total=$(cat $(find "$out.new" -type f -name '*.gz') | wc -c)
[ "$total" -le 300000 ] || { echo "the bundle has $total bytes gzipped, more than 300,000" >&2; exit 1; }
rm -rf "$out"
mv "$out.new" "$out"
if [ -n "$depfile" ]; then
  find "$source/src" "$source/public" "$source/index.html" "$source/vite.config.ts" "$source/tsconfig.json" \
    "$source/package.json" "$source/package-lock.json" -type f |
    sed 's/ /\\ /g' | tr '\n' ' ' | sed "s|^|${out##*/}: |" >"$depfile"
fi
