#!/bin/sh
# Takes out of a virtual environment what `hilum serve` and its workers never open. The Dockerfile says why each.
set -eu
environment=$1
packages=$(echo "$environment"/lib/python3*/site-packages)

"$environment/bin/pip" uninstall --quiet --yes hatchling editables trove-classifiers tomlkit pathspec pluggy pygments pip
rm -rf "$packages"/setuptools* "$packages"/pkg_resources "$packages"/cv2/data/*.xml
rm -f "$packages"/onnxruntime/capi/libonnxruntime.so.*
rm -rf "$packages"/onnxruntime/transformers "$packages"/onnxruntime/tools "$packages"/onnxruntime/quantization
rm -rf "$packages"/_gdcm/XML "$packages"/_gdcm/pkgconfig "$packages"/PIL/_avif*.so "$packages"/PIL/_imagingft*.so
rm -f "$packages"/pillow.libs/libavif-* "$packages"/pillow.libs/libharfbuzz-* "$packages"/pillow.libs/libfreetype-*
rm -rf "$packages"/sqlalchemy/testing "$packages"/numpy/f2py "$packages"/numpy/distutils
find "$packages" -type d -name tests -prune -exec rm -rf {} +
find "$packages" -name '*.pyi' -delete
find "$packages"/_gdcm -name 'gdcm*' -type f -not -name '*.py' -delete

# the same bytes under another name become a link
find "$packages"/_gdcm -name '*.so.*.*.*' | while read -r library; do
  for name in "${library%.*}" "${library%.*.*}" "${library%.*.*.*}"; do
    if [ -f "$name" ] && cmp -s "$name" "$library"; then ln -sf "$(basename "$library")" "$name"; fi
  done
done

# 22 MB of indentation and short words
"$environment/bin/python" - "$packages"/highdicom/_standard/*.json <<'PYTHON'
import json, pathlib, sys
for file in map(pathlib.Path, sys.argv[1:]):
    file.write_text(json.dumps(json.loads(file.read_text()), separators=(",", ":")))
PYTHON

find "$packages" -name '*.so*' -type f -not -path '*.libs/*' -exec strip --strip-unneeded {} +

find "$environment" -name __pycache__ -prune -exec rm -rf {} +
"$environment/bin/python" -c "
import hilum.cli, hilum.access_commands, hilum.state_commands, hilum.web.server, hilum.web.app, hilum.services.prediction
import hilum.services.state, hilum.storage.schema, hilum.storage.backup, hilum.inference.predictor, hilum.imaging.decode
import cv2, onnxruntime, granian.server, pydicom.pixels, simplejpeg"
