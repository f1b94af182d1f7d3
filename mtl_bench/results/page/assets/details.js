/* What unfolds below a row: its tasks and seeds, where it comes from, what to type, and its configuration. */
function bars(row) {
  const found = board.tasks.filter((task) => row.changes[task.name]).map((task) => [task.name, row.changes[task.name]]);
  const ends = found.flatMap(([, one]) => [one.mean, ...(one.span ?? [])]);
  const width = innerWidth < 760 ? 340 : 520, high = 24;
  const left = Math.min(130, 12 + 6.6 * Math.max(...found.map(([name]) => name.length)));
  const x = linear(Math.min(0, ...ends), Math.max(0, ...ends), left + 8, width - 112);
  const parts = found.map(([name, one], place) => {
    const y = place * high + 12, [from, to] = [x(0), x(one.mean)].sort((a, b) => a - b);
    return svg("g", { class: tone(one) },
      svg("text", { x: left, y: y + 4, "text-anchor": "end", class: "strong" }, cut(name, 19)),
      svg("rect", { class: "bar", x: from, y: y - 7, width: Math.max(to - from, 1), height: 14, rx: 2 }),
      one.span ? svg("line", { class: "whisker", style: "opacity:1;stroke:var(--ink)", x1: x(one.span[0]), x2: x(one.span[1]), y1: y, y2: y }) : null,
      svg("text", { x: width, y: y + 4, "text-anchor": "end", class: "strong" }, one.text));
  });
  const bottom = found.length * high;
  return svg("svg", { viewBox: `0 0 ${width} ${bottom + 4}`, width: "100%", role: "img", "aria-label": `change per task of ${row.label}` },
    svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: bottom }), ...parts);
}

function command(text) {
  const button = html("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(button.previousSibling); button.textContent = "Selected"; }
  });
  return html("div", { class: "command" }, html("pre", {}, html("code", {}, text)), button);
}

function records(run) {
  const entries = run.records.map(([seed, path, link]) => html("div", {}, `seed ${seed}: `, link ? html("a", { href: link }, path) : html("code", {}, path)));
  return html("details", { class: "paths" }, html("summary", {}, `${run.records.length} records of run ${run.hash}`), ...entries);
}

function unfolded(row) {
  const numbers = html("div"), origin = html("div");
  if (Object.keys(row.changes).length) numbers.append(html("h3", {}, "Change per task, % against single-task"), html("div", { class: "chart" }, bars(row)));
  if (row.seeds.length) numbers.append(html("h3", {}, "Δm of each seed"), html("dl", {}, ...row.seeds.flatMap(([seed, value]) => [html("dt", {}, `seed ${seed}`), html("dd", {}, `${value > 0 ? "+" : ""}${value.toFixed(2)} %`.replace("-", "−"))])));
  numbers.append(html("h3", {}, "What is known of it"), html("dl", {}, ...row.facts.flatMap(([name, text]) => [html("dt", {}, name), html("dd", {}, text)])));
  origin.append(html("h3", {}, row.commands.length > 1 ? "Commands" : "Command"));
  if (row.commands.length) origin.append(...row.commands.map(command));
  else origin.append(html("p", { class: "hint" }, "Its experiment is no YAML of this installation: the configuration below is what was trained."));
  const methods = new Set(row.runs.map((run) => run.method).filter(Boolean));
  if (!row.single) for (const text of methods) origin.append(html("h3", {}, "Method"), html("pre", {}, html("code", {}, text)));
  origin.append(html("h3", {}, "Records"), ...row.runs.map(records));
  return html("div", { class: "unfolded" }, numbers, origin);
}

function unfold(line, open) {
  const button = line.querySelector("th.name button");
  if ((button.getAttribute("aria-expanded") === "true") === open) return;
  button.setAttribute("aria-expanded", String(open));
  if (!open) { line.nextElementSibling.remove(); return; }
  line.after(html("tr", { class: "details" }, html("td", { colspan: line.cells.length }, unfolded(byLabel.get(line.dataset.label)))));
}
lines.forEach((line) => {
  const button = line.querySelector("th.name button");
  button.addEventListener("click", () => unfold(line, button.getAttribute("aria-expanded") !== "true"));
});
