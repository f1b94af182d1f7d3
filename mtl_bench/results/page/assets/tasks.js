/* One panel per task on one common axis, rows in the order of the table. */
function paintTasks(width) {
  const rows = shown().filter((row) => Object.keys(row.changes).length);
  if (!rows.length) return html("p", { class: "hint" }, "No row of these has a change per task.");
  const means = rows.flatMap((row) => Object.values(row.changes).map((one) => one.mean)).sort((a, b) => a - b);
  const ends = rows.flatMap((row) => Object.values(row.changes).flatMap((one) => one.span ?? [one.mean]));
  const at = (share) => means[Math.round(share * (means.length - 1))], reach = 2 * Math.max(at(0.9) - at(0.1), 1);
  const low = Math.min(0, Math.max(Math.min(...ends), at(0.1) - reach)), high = Math.max(0, Math.min(Math.max(...ends), at(0.9) + reach));
  const free = 0.06 * (high - low || 1), narrow = width < 560, names = narrow ? 92 : 190, gap = narrow ? 10 : 16;
  const panel = Math.max((width - names) / board.tasks.length - gap, narrow ? 70 : 84), whole = names + board.tasks.length * (panel + gap);
  const step = rows.length > 24 ? 15 : 20, top = 26, bottom = top + rows.length * step;
  const labels = rows.map((row, n) => svg("text", { x: names - 12, y: top + n * step + step / 2 + 4, "text-anchor": "end", class: "strong" }, cut(row.label, (names - 12) / 7)));
  const panels = board.tasks.map((task, number) => {
    const left = names + number * (panel + gap), x = linear(low - free, high + free, left, left + panel), inside = (value) => x(Math.min(Math.max(value, low - free), high + free));
    const drawn = rows.filter((row) => row.changes[task.name]).map((row) => {
      const one = row.changes[task.name], y = top + rows.indexOf(row) * step + step / 2, [from, to] = [x(0), inside(one.mean)].sort((a, b) => a - b);
      return svg("g", { class: tone(one), "data-tip": `${row.label}\n${task.name} ${one.text} %` },
        svg("rect", { x: left, y: y - step / 2, width: panel, height: step, fill: "transparent" }),
        svg("rect", { class: "bar", x: from, y: y - step * 0.3, width: Math.max(to - from, 1), height: step * 0.6, rx: 1.5 }),
        one.span ? svg("line", { x1: inside(one.span[0]), x2: inside(one.span[1]), y1: y, y2: y, stroke: "var(--ink)", "stroke-opacity": 0.65 }) : null);
    });
    return svg("g", {}, svg("text", { x: left, y: 12, class: "strong" }, cut(task.name, panel / 6.4)),
      ...ticks(low, high, panel > 150 ? 4 : 2).flatMap((value) => [
        svg("line", { class: value === 0 ? "zero" : "grid", x1: x(value), x2: x(value), y1: top, y2: bottom }),
        svg("text", { x: x(value), y: bottom + 15, "text-anchor": "middle" }, (value > 0 ? "+" : "") + told(value))]), ...drawn);
  });
  return svg("svg", { width: whole, height: bottom + 22, role: "img", "aria-label": "change per task" }, ...labels, ...panels);
}
if (board.rows.some((row) => Object.keys(row.changes).length)) picture("tasks", paintTasks);
