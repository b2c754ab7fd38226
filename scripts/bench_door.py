"""The figures of the door, by one command each.

camera: from the moment Chromium's camera plays a card to the result in the page, and how long the server decodes.
photos: how many of forty bad photos of every code that is printed are read.
crowd: a thousand people at one session, with doubles, with a worker killed, all at once, and at random.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# The processes that the bench starts find the project where it is.
os.chdir(Path(__file__).resolve().parent.parent)
sys.path[:0] = [str(Path.cwd())]

from scripts import bench_camera, bench_crowd  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/door", description=__doc__)
    chosen = options.add_subparsers(dest="what", required=True)
    camera = chosen.add_parser("camera", help="fake camera to accepted scan, in Chromium")
    camera.add_argument("--runs", type=int, default=50)
    photos = chosen.add_parser("photos", help="photos of every printed code at 480 and 640 pixels")
    photos.add_argument("--number", type=int, default=40)
    crowd = chosen.add_parser("crowd", help="people at one session over HTTP, on both engines")
    crowd.add_argument("--scale", type=float, default=1.0, help="a share of the people and posts (1: the full size)")
    crowd.add_argument("--engine", choices=["sqlite", "postgresql", "both"], default="both")
    crowd.add_argument("--only", default="", help="trials whose name holds this text")
    given = options.parse_args()
    if given.what == "camera":
        bench_camera.run_camera(given.runs)
    elif given.what == "photos":
        bench_camera.run_photos(given.number)
    else:
        bench_crowd.run(given.scale, given.engine, given.only)


if __name__ == "__main__":
    main()
