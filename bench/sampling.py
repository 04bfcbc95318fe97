"""Where a Python program spends its CPU: `python -m bench.sampling FILE MODULE` runs the module and looks at its stack
every millisecond of CPU, from SIGUSR1 on and until SIGUSR2, which writes the counts to the file.
"""

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_SECONDS = 0.001


class Samples:
    """Functions, as `file:name`: in which the program was, and which it was in or below."""

    def __init__(self, to: Path) -> None:
        self.to, self.own, self.whole = to, Counter[str](), Counter[str]()

    def begin(self, *_: object) -> None:
        self.own.clear()
        self.whole.clear()
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def look(self, _: int, frame: FrameType | None) -> None:
        stack = list[str]()
        while frame:
            code = frame.f_code
            stack.append(f"{'/'.join(code.co_filename.rsplit('/', 2)[1:])}:{code.co_qualname}")
            frame = frame.f_back
        self.own[stack[0]] += 1
        self.whole.update(set(stack))

    def end(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        draft = self.to.with_suffix(".draft")
        draft.write_text(json.dumps({"own": self.own, "whole": self.whole}))
        draft.rename(self.to)


if __name__ == "__main__":
    samples, module = Samples(Path(sys.argv[1])), sys.argv[2]
    signal.signal(signal.SIGUSR1, samples.begin)
    signal.signal(signal.SIGUSR2, samples.end)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
