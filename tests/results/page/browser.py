"""A page in headless Chromium: steps are typed into it, and whatever its console says is a failure."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
SEEN = re.compile(r'<pre id="seen">(.*?)</pre>', re.S)
TYPED = """
<script>
addEventListener("load", () => {
  const seen = document.createElement("pre");
  seen.id = "seen";
  const act = () => { STEPS };
  seen.textContent = JSON.stringify(act() ?? null);
  document.body.append(seen);
});
</script>
"""


def visit(page: Path, steps: str, width: int = 1400, anchor: str = "") -> Any:
    """What the steps, the body of a JavaScript function, return once the page is there.

    Raises AssertionError with what the console said: an uncaught error, a refused request, any message at all.
    """
    assert CHROMIUM
    copy = page.with_name(f"visited-{page.name}")  # beside it, so that links hold
    copy.write_text(page.read_text().replace("</body>", TYPED.replace("STEPS", steps) + "</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000"]
    flags += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},1200", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *flags, f"{copy.as_uri()}{anchor}"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, "\n".join(said)
    found = SEEN.search(done.stdout)
    assert found, f"The steps did not come to an end.\n{done.stderr[-2000:]}"
    return json.loads(unescape(found[1]))
