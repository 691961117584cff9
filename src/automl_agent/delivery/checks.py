"""Tries a bundle out as its user will: its own programs, in processes that cannot import this library.

Code that a language model wrote is tried in the sandbox.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from automl_agent.delivery.bundle import runtime_module
from automl_agent.delivery.confined import generated, retrained, served
from automl_agent.errors import AutoMLError, BundleError, InputError
from automl_agent.execution.lifeline import FOLLOW, RUN, SOURCES, lifeline
from automl_agent.execution.scratch import Scratch
from automl_agent.records import ServerCheck

TOLERANCE = 1e-6
REQUESTS = 15
KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "ATEN_CPU_CAPABILITY")
"""What chooses the arithmetic of the machine: with another, a model trained again is another in its last digits, and
trees make more of that."""
KEPT = ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "LANG", "LC_ALL", *KERNELS)
"""Environment variables that a bundle's process gets; keys and tokens are not among them."""

WALL = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "automl_agent":
            raise ImportError("a bundle runs without automl_agent")
sys.meta_path.insert(0, Wall())
"""
"""What runs after it cannot import `automl_agent`."""


def check_server(bundle: Path, timeout: float, sandbox: str = "auto") -> ServerCheck:
    """Start the bundle's server, ask it what its own predictions say, and stop it.

    Passes when `/healthz` answers within the time, `/predict` agrees with the known predictions to 1e-6, and the
    process ends on SIGTERM (in the sandbox it is killed). Never raises for a bundle's fault: `text` says what it was.

    Args:
        sandbox: `Settings.sandbox`, for a bundle with generated code.
    """
    started = time.monotonic()
    deadline = started + timeout
    try:
        if generated(bundle):
            http_ms = _ask_confined(bundle, deadline, sandbox)
        else:
            with _server(bundle, deadline) as (port, process):
                http_ms = _ask(bundle, port, deadline)
                process.send_signal(signal.SIGTERM)
                process.wait(max(0.1, deadline - time.monotonic()))
    except (AutoMLError, OSError, http.client.HTTPException, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return ServerCheck(ok=False, seconds=time.monotonic() - started, text=_line(error))
    text = "The bundle's server ran without automl_agent and agreed with the known predictions."
    return ServerCheck(ok=True, seconds=time.monotonic() - started, http_ms=http_ms, text=text)


def check_retrain(bundle: Path, data: Path, timeout: float, sandbox: str = "auto") -> ServerCheck:
    """Train the bundle's cheapest member again without its first fold, by `train.py`, and compare.

    Args:
        data: the data folder, or the user's file.
        sandbox: `Settings.sandbox`, for a bundle with generated code.
    """
    started = time.monotonic()
    member = _cheapest(bundle)
    fold = min(member["validated"])
    what = f"{member['candidate']} without fold {fold}, trained again by train.py,"
    try:
        if generated(bundle):
            difference = retrained(bundle, data, member["id"], fold, sandbox=sandbox, seconds=timeout)
            same = difference <= TOLERANCE
        else:
            difference, same = _retrained(bundle, data, member["id"], fold, timeout)
    except (AutoMLError, OSError, MemoryError, RuntimeError, ValueError) as error:
        return ServerCheck(ok=False, seconds=time.monotonic() - started, text=f"{what} failed: {_line(error)}")
    agreed = f"differs by {difference:.1e} from" if difference else "agrees exactly with"
    text = f"{what} {agreed} the stored predictions."
    return ServerCheck(ok=same, seconds=time.monotonic() - started, text=text)


def retrain_seconds(bundle: Path) -> float:
    """About how long the training of `check_retrain` takes: as long as it took in the search."""
    member = _cheapest(bundle)
    return float(member["fit_seconds"]) / max(1, len(member["validated"]))


def _cheapest(bundle: Path) -> dict[str, Any]:
    solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    member: dict[str, Any] = min(solution["members"], key=lambda choice: choice["fit_seconds"])
    return member


def _retrained(bundle: Path, data: Path, member: str, fold: int, timeout: float) -> tuple[float, bool]:
    """How far the predictions of a member that `train.py` trained again are from the stored ones, and whether that is
    near enough."""
    arguments = ["--verify", "--member", member, "--fold", str(fold), *_source(data)]
    done = run_isolated(bundle, "train.py", arguments, timeout)
    found = _found(done.stdout)
    if not found:
        raise BundleError(_last(done.stderr))
    return float(found[0]["difference"]), bool(found[0]["same"])


def verify_bundle(bundle: Path, data: Path | None = None) -> list[dict[str, Any]]:
    """Check everything that can be checked: files and known rows, and with data every member and fold.

    Returns:
        {"check", "ok", "text"} for each check.
    """
    _require_bundle(bundle)
    try:
        check_bundle(bundle)
    except BundleError as error:
        return [{"check": "files and known rows", "ok": False, "text": str(error)}]
    done = run_isolated(bundle, "ensemble.py", [], None)
    checks = [{"check": "files and known rows", "ok": done.returncode == 0, "text": _last(done.stdout or done.stderr)}]
    if data is None or not checks[0]["ok"]:
        return checks
    done = run_isolated(bundle, "train.py", ["--verify", *_source(data)], None)
    for found in _found(done.stdout):
        text = f"largest difference {found['difference']:.1e}, {found['seconds']:.1f} s"
        checks.append({"check": f"{found['member']} without fold {found['fold']}", "ok": found["same"], "text": text})
    if done.returncode not in (0, 1):
        checks.append({"check": "train.py", "ok": False, "text": _last(done.stderr)})
    return checks


def predict_file(bundle: Path, file: Path, out: Path | None = None, reasons: bool = False) -> Path:
    """Predict the rows of a file with the bundle's `predict.py`; its warnings go to our stderr.

    Raises:
        InputError: when the file or the bundle cannot be used.
        BundleError: when the bundle was changed; nothing of it has been run then.
    """
    _require_bundle(bundle)
    check_bundle(bundle)
    out = out or Path(f"{file.name.split('.')[0]}_predictions.csv")
    arguments = [str(file.resolve()), "--out", str(out.resolve()), *(["--reasons"] if reasons else [])]
    done = run_isolated(bundle, "predict.py", arguments, None)
    if done.returncode < 0:
        raise BundleError(
            f"predict.py of {bundle} was ended by signal {-done.returncode}: a model file may be damaged."
        )
    if done.returncode != 0:
        raise InputError(_last(done.stderr).removeprefix("error: "))
    sys.stderr.write(done.stderr)
    return out


def check_bundle(bundle: Path) -> None:
    """Compare a bundle with its manifest by our own code, before any of the bundle's is run.

    Raises:
        BundleError: a file is missing or was changed, or code lies there that is not part of it and would be imported.
    """
    seal = runtime_module("seal")
    try:
        seal.check_files(bundle)
    except seal.DamagedBundle as error:
        raise BundleError(" ".join(str(error).split())) from error
    known = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
    for pattern in ("*.py", "*.pyc", "*.so", "*.pyd", "*/__init__.*", "candidates/*.py"):
        for path in sorted(bundle.glob(pattern)):
            name = path.relative_to(bundle).as_posix()
            if name not in known:
                raise BundleError(f"{name} is not part of the bundle {bundle}, and its programs would import it.")


def run_isolated(bundle: Path, script: str, arguments: Sequence[str], timeout: float | None
                 ) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run one of the bundle's programs to its end; a time-out is an exit status of 124. Nothing is left running."""
    with _process(bundle, script, arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            stdout, stderr = process.communicate()
            stderr += f"\n{script} took over {timeout:.0f} s"
            return subprocess.CompletedProcess(process.args, 124, stdout, stderr)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@contextmanager
def _process(bundle: Path, script: str, arguments: Sequence[str], **streams: Any
             ) -> Iterator[subprocess.Popen[str]]:  # fmt: skip
    """A running program of the bundle, without our library and our secrets; it and its children end with the block."""
    # One thread each and no spinning: what is compared must not depend on the number of cores.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | threads
    with Scratch() as scratch, lifeline() as theirs:  # a program that is killed leaves its temporary files
        program = [sys.executable, "-B", "-c", FOLLOW + WALL + SOURCES + RUN]
        command = [*program, str(theirs), str(scratch), str(bundle.resolve() / script), *arguments]
        process = subprocess.Popen(
            command, env=environment | {"TMPDIR": str(scratch)}, cwd=bundle, stdin=subprocess.DEVNULL, text=True,
            start_new_session=True, pass_fds=(theirs,), **streams
        )  # fmt: skip
        try:
            yield process
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """End the process and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _server(bundle: Path, deadline: float) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The bundle's server, once it answers."""
    run_id = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))["run_id"]
    port = _free_port()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
        _process(bundle, "serve.py", ["--port", str(port)], stdout=log, stderr=log) as process,
    ):
        while _health(port) != run_id:
            if process.poll() is not None:
                log.seek(0)
                raise BundleError(f"serve.py ended with status {process.returncode}: {_last(log.read())}")
            if time.monotonic() > deadline:
                raise BundleError("serve.py did not answer in time")
            time.sleep(0.05)
        yield port, process


def _ask_confined(bundle: Path, deadline: float, sandbox: str) -> float:
    """What `_ask` says of the bundle's server in the sandbox."""
    run_id = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))["run_id"]
    port = _free_port()
    with served(bundle, port, sandbox=sandbox, seconds=max(1.0, deadline - time.monotonic())) as result:
        while _health(port) != run_id:
            if result.done():
                raise BundleError(f"serve.py ended ({result.result().status}): {_last(result.result().output)}")
            if time.monotonic() > deadline:
                raise BundleError("serve.py did not answer in time")
            time.sleep(0.05)
        return _ask(bundle, port, deadline)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _health(port: int) -> str | None:
    """The run that a server belongs to, or `None` while there is none. Another process may have taken the port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return str(json.loads(connection.getresponse().read())["run_id"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def _ask(bundle: Path, port: int, deadline: float) -> float:
    """Compare the answers to the sample request with the known predictions; median milliseconds of a single row."""
    sample = json.loads((bundle / "sample_request.json").read_text(encoding="utf-8"))
    golden = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(0.1, deadline - time.monotonic()))
    try:
        answer = _post(connection, sample)
        scores = answer.get("probabilities") or answer["predictions"]
        for row, expected in zip(scores, golden["scores"], strict=False):
            values, known = (list(row.values()), expected) if isinstance(row, dict) else ([row], [expected])
            scale = max(1.0, *map(abs, known))
            if len(values) != len(known) or any(
                abs(a - b) > TOLERANCE * scale for a, b in zip(values, known, strict=True)
            ):
                raise BundleError(f"/predict answered {values} where {known} is right")
        if answer["predictions"] != golden["predictions"][: len(sample["rows"])] and "probabilities" in answer:
            raise BundleError("/predict answered other labels than the known ones")
        times = []
        for _ in range(REQUESTS):
            begun = time.perf_counter()
            _post(connection, {"rows": sample["rows"][:1]})
            times.append((time.perf_counter() - begun) * 1000)
        return statistics.median(times)
    finally:
        connection.close()


def _post(connection: http.client.HTTPConnection, body: dict[str, Any]) -> dict[str, Any]:
    connection.request("POST", "/predict", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise BundleError(f"/predict answered {response.status}: {text[:200].decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(text)
    return answer


def _source(data: Path) -> list[str]:
    folder = data.is_dir() and (data / "train.parquet").exists()
    return ["--folder" if folder else "--data", str(data.resolve())]


def _require_bundle(bundle: Path) -> None:
    if not (bundle / "manifest.json").is_file():
        raise InputError(f"{bundle} is not a bundle.", hint="A bundle is a folder with a manifest.json.")


def _found(stdout: str) -> list[dict[str, Any]]:
    """What `train.py --verify` reports, among what the models' libraries may print."""
    return [json.loads(line) for line in stdout.splitlines() if line.startswith('{"member"')]


def _last(text: str) -> str:
    """The last line that says something."""
    return next((line.strip()[:500] for line in reversed(text.splitlines()) if line.strip()), "no message")


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:500] or type(error).__name__
