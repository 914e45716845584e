"""Runs the demo and writes its figures, pictures and the tables of docs/results.md.

python benchmark/demo_figures.py --media ../shared/media

Videos are played no faster than a CPU's detector can follow, so that every frame counts.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- demo figures: begin -->", "<!-- demo figures: end -->"

# Name to the title in the page and to what is asked of `erd demo`.
RUNS = {
    "demo_synthetic": ("Synthetic sequence", ()),
    "demo_outdoor": (
        "two_people_outdoor.mp4",
        (
            *("--video", "{media}/two_people_outdoor.mp4", "--rate", "8"),
            *("--camera-info", "config/cameras/two_people_outdoor.yaml"),
        ),
    ),
    "demo_indoor": (
        "one_person_indoor.mp4",
        ("--video", "{media}/one_person_indoor.mp4", "--fov", "60"),
    ),
}


def play(name: str, media: str) -> None:
    """One run of the demo; its picture goes to the results."""
    words = [word.format(media=media) for word in RUNS[name][1]]
    out = Path("runs") / name
    figures = RESULTS.relative_to(ROOT) / f"{name}.json"
    erd = Path(sys.executable).with_name("erd")
    demo = [erd, "demo", "--headless", "--out", out, "--json", figures]
    subprocess.run([*demo, *words], cwd=ROOT, check=True)
    with Image.open(ROOT / out / "demo.png") as picture:
        # A palette makes a third of the file and looks the same.
        picture.convert("RGB").quantize(256).save(RESULTS / f"{name}.png", optimize=True)


def spread(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} ({values['p5']:.2f} to {values['p95']:.2f})"


def section(name: str) -> str:
    """Heading, command, table and picture of one run, from its JSON file."""
    written = json.loads((RESULTS / f"{name}.json").read_text())
    found, latency = written["figures"], written["figures"]["latency_s"]
    lines = [
        f"### {RUNS[name][0]}",
        "",
        f"Written by `{written['command']}`.",
        "",
        f"{found['source'][0].upper()}{found['source'][1:]}. {found['frames_published']} frames, "
        f"{found['frames_dropped']} dropped, at {found['rate_hz']:.1f} Hz; latency in the node "
        f"p50 {1e3 * latency['p50']:.1f} ms, p99 {1e3 * latency['p99']:.1f} ms.",
    ]
    if found.get("error"):
        error = found["error"]
        lines[-1] += (
            f" Against the truth: MPJPE {error['mpjpe_mm']:.0f} mm, MRPE {error['mrpe_mm']:.0f} mm,"
            f" absolute MPJPE {error['absolute_mpjpe_mm']:.0f} mm."
        )
    lines += [
        "",
        "| id | frames | distance, m | height, m | limb length, variation | worst limb "
        "| frame to frame | residual, px |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for person_id, person in found["people"].items():
        limbs = person["bone_length_variation"]
        lines.append(
            f"| {person_id} | {person['frames']} | {spread(person['distance_m'])} "
            f"| {spread(person['height_m'])} | {limbs['median']:.1%} "
            f"| {limbs['worst']:.1%} {limbs['worst_bone']} | {limbs['frame_to_frame']:.2%} "
            f"| {person['residual_px']['median']:.1f} |"
        )
    return "\n".join([*lines, "", f"![{RUNS[name][0]}](results/{name}.png)", ""])


def write_page() -> None:
    """Put the sections between the marks of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    sections = "\n".join(section(name) for name in RUNS)
    PAGE.write_text(f"{before}{BEGIN}\n{sections}{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--media", default="../shared/media", help="folder with the two videos")
    parser.add_argument("--page-only", action="store_true", help="play nothing, write the page")
    arguments = parser.parse_args()
    if not arguments.page_only:
        for name in RUNS:
            play(name, arguments.media)
    write_page()


if __name__ == "__main__":
    main()
