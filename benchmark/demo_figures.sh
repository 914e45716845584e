#!/usr/bin/env bash
# Figures and pictures of the demo in docs/: bash benchmark/demo_figures.sh FOLDER_OF_VIDEOS
# Videos are played no faster than a CPU's detector can follow, so that every frame counts.
set -euo pipefail
cd "$(dirname "$0")/.."
media=${1:-../shared/media}
python=${PYTHON:-python3}

demo() {
  name=$1
  shift
  "$python" -m erd_ros.cli demo --headless --out "runs/$name" --json "docs/results/$name.json" "$@"
  # 256 colours make a third of the file and look the same.
  "$python" -c "import sys; from PIL import Image; \
Image.open(sys.argv[1]).convert('RGB').quantize(256).save(sys.argv[2], optimize=True)" \
    "runs/$name/demo.png" "docs/$name.png"
}

demo demo_synthetic
demo demo_outdoor --video "$media/two_people_outdoor.mp4" --rate 8 \
  --camera-info config/cameras/two_people_outdoor.yaml
demo demo_indoor --video "$media/one_person_indoor.mp4" --fov 60
