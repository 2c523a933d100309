"""The machine that a benchmark runs on, and processes of their own that it times."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

EXTENSIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
PEAK = """
import json, sys, time, torch
found = {}
for dtype in sys.argv[1:]:
    a, b = (torch.ones(2048, 2048, dtype=getattr(torch, dtype)) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    found[dtype] = 2 * 2048**3 / best
print(json.dumps(found))
"""


def describe():
    """One line: processor, cores, vector extensions, memory, and an accelerator."""
    cpuinfo, memory = {}, ""
    if Path("/proc/cpuinfo").exists():
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
        pairs = (line.partition(":") for line in first)
        cpuinfo = {key.strip(): value.strip() for key, _, value in pairs}
        total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
        memory = f", {int(total[1]) / 2**20:.0f} GiB"
    flags = cpuinfo.get("flags", "").split()
    found = [name for name in EXTENSIONS if name in flags]
    name = cpuinfo.get("model name") or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {', '.join(found) or 'no AVX2'}{memory}{accelerator()}"


def accelerator():
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", {found.stdout.splitlines()[0]}"


def matmul_peak(dtypes, environment=None):
    """Operations a second in PyTorch's product of 2048² matrices, by dtype.

    Of those asked for only: what a processor emulates takes it minutes.
    """
    command = [sys.executable, "-c", PEAK, *dtypes]
    environment = {**os.environ, **(environment or {})}
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    return json.loads(ran.stdout)


def memory_now(kind="VmRSS"):
    """Bytes that this process holds (`VmRSS`), or has held at most (`VmHWM`); Linux."""
    return int(Path("/proc/self/status").read_text().split(f"{kind}:")[1].split()[0]) * 1024


class Worker:
    """A process of its own that does one thing again and again when asked.

    Args:
        script: path. Run with `--worker` and a JSON of `options`, it calls `serve`.
        options: dict.
        environment: dict of further environment variables.
    """

    def __init__(self, script, options, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, script, "--worker", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if not os.environ.get("SHOW_WORKERS") else None,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        )
        self.facts = self._read()

    def ask(self, request="step"):
        """`(seconds, processor seconds)` of a step, or another answer; None if the worker died."""
        try:
            self.process.stdin.write(f"{request}\n")
            self.process.stdin.flush()
        except OSError:
            return None
        return self._read()

    def _read(self):
        self.printed = []  # beside the answer
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
            self.printed.append(line)
        return None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(step, facts=None, count=1, **others):
    """Answer requests of a `Worker`: `step`, `memory`, and further functions by their names.

    Memory is what the process took at most since `base`, a fact, beyond the imports. Where `step`
    makes several steps, `count` says how many.
    """
    facts = facts or {}
    start = time.perf_counter()
    step()
    facts["first_step"] = time.perf_counter() - start
    for _ in range(2):
        step()
    _answer(facts)
    for line in sys.stdin:
        request = line.strip()
        if request == "step":
            start, used = time.perf_counter(), time.process_time()
            step()
            seconds = time.perf_counter() - start, time.process_time() - used
            _answer([one / count for one in seconds])
        elif request == "memory":
            _answer(memory_now("VmHWM") - facts["base"])
        else:
            _answer(others[request]())


def _answer(value):
    print("answer", json.dumps(value), flush=True)
