"""Makes the pictures of the documentation again (needs a checkout, Chromium and a terminal like Linux's).

python docs/pictures/make.py page resnet50_v1-symbol.json data=1,3,224,224 docs/pictures/report.png
python docs/pictures/make.py stage shufflenet_v2-symbol.json data=1,3,224,224 docs/pictures/network.png 3
python docs/pictures/make.py terminal docs/pictures/compile.svg compile digits-symbol.json --verify
"""

from __future__ import annotations

import io
import os
import pty
import re
import struct
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reporting")]

COLUMNS, ROWS = 120, 60


def picture_of_page(kind: str, model: str, shape: str, out: str, stage: str = "1") -> None:
    """The top of a report, or one stage of its network."""
    from browser import Browser
    from models import COMMAND, rules

    from prunec.analysis.analyse import analyse
    from prunec.cli.options import input_shape
    from prunec.frontends.mxnet.headings import headings
    from prunec.frontends.mxnet.model import read_model
    from prunec.planning.choose import make_plan
    from prunec.planning.planfile import Origin
    from prunec.reporting.report import render_report
    from prunec.rewriting.emit import emit
    from prunec.rewriting.unified_diff import unified_diff

    read = read_model(Path(model), None, dict([input_shape(shape)]))
    analysis = analyse(read, rules())
    plan = make_plan(analysis, 0.5)
    pruned = emit(analysis, plan.removed)
    diff = unified_diff(read.path.name, read.file.data, pruned.model, headings(read.file))
    origin = Origin(read.digest, rules().digest, None, False)
    text = render_report(analysis, pruned, plan, origin, diff=diff, command=COMMAND, version="")
    with tempfile.TemporaryDirectory() as folder, Browser(1040, 900) as browser:
        page = Path(folder) / "report.html"
        page.write_text(text, encoding="utf-8")
        browser.open(page)
        if kind == "page":
            browser.picture(Path(out))
        else:
            browser.run(f"document.getElementById('stage-{stage}').open = true")
            browser.picture(Path(out), f"#stage-{stage}", 900)
    _smaller(Path(out))


def _smaller(path: Path) -> None:
    """Few colours make a small file; without Pillow it stays as the browser wrote it."""
    try:
        from PIL import Image
    except ImportError:
        return
    Image.open(path).convert("RGB").quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


def picture_of_terminal(out: str, *command: str) -> None:
    """What a command prints on a terminal, without what it shows while it works."""
    from rich.console import Console
    from rich.text import Text

    printed = bytearray()
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        os.environ.update(PYTHONPATH=str(ROOT), COLUMNS=str(COLUMNS), LINES=str(ROWS), TERM="xterm-256color")
        os.execv(sys.executable, [sys.executable, "-m", "prunec.cli.main", *command])
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        printed += piece
    os.waitpid(pid, 0)
    text = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), ("prunec " + " ".join(command), "bold")))
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="prunec", unique_id="prunec")
    # The fonts it would fetch from elsewhere are not needed.
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(out).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "terminal":
        picture_of_terminal(*sys.argv[2:])
    else:
        picture_of_page(*sys.argv[1:])
