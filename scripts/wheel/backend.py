"""What pip calls: maturin, behind the program's own writing of its manual and completions.

Only a built program can write them, and maturin takes files that are there, so the program is built first; maturin then
finds it built. `--config-settings profile=dev` takes the debug build.
"""

import pathlib
import subprocess

import maturin
from maturin import (  # noqa: F401 (hooks that pip looks for here)
    build_sdist,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)

# In a new checkout nothing is built yet, and maturin tells no metadata without the folder that pyproject.toml names.
pathlib.Path("target/package/files").mkdir(parents=True, exist_ok=True)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    profile = (config_settings or {}).get("profile", "release")
    subprocess.run(["scripts/package", "files", "--profile", profile], check=True)
    return maturin.build_wheel(wheel_directory, {"build-args": f"--profile {profile}"}, metadata_directory)
