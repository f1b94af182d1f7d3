/* Δm against what it costs, and the rows that none beats in both; what survives of a diverged row beats nobody. */
function front(rows) {
  let best = -Infinity;
  return rows.filter((row) => row.standing !== "diverged").sort((a, b) => a.passes - b.passes || b.delta.mean - a.delta.mean).filter((row) => row.delta.mean > best && ((best = row.delta.mean), true));
}

function place(texts, taken, point, text) {
  const wide = 6.4 * text.length + 4;
  const spots = [[8, 4, "start"], [-8, 4, "end"], [0, -11, "middle"], [0, 19, "middle"], [7, -8, "start"], [7, 15, "start"], [-7, -8, "end"], [-7, 15, "end"]];
  for (const [dx, dy, anchor] of spots) {
    const x = point.x + dx, left = anchor === "start" ? x : anchor === "end" ? x - wide : x - wide / 2;
    const box = { left, right: left + wide, top: point.y + dy - 10, bottom: point.y + dy + 3 };
    const free = taken.every((one) => box.right < one.left || box.left > one.right || box.bottom < one.top || box.top > one.bottom);
    if (!free || box.left < point.low || box.right > point.high || box.top < 0 || box.bottom > point.floor) continue;
    taken.push(box);
    texts.push(svg("text", { x, y: point.y + dy, "text-anchor": anchor, class: point.strong ? "strong" : null }, text));
    return;
  }
}

function paintCost(width) {
  const rows = shown().filter((row) => row.delta && row.passes);
  const height = Math.min(400, Math.max(300, width * 0.62)), left = 46, bottom = height - 40;
  if (!rows.length) return html("p", { class: "hint" }, "No row of these has both numbers.");
  const [low, high] = board.scale, costs = rows.map((row) => row.passes);
  const least = Math.min(...costs), most = Math.max(...costs), free = Math.max((most / least) ** 0.09, 1.06);
  const log = linear(Math.log(least / free), Math.log(most * free), left, width - 8), x = (value) => log(Math.log(value));
  const y = linear(low, high, bottom, 8), inside = (value) => y(Math.min(Math.max(value, low), high));
  const nice = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256, 512];
  let last = -99;
  const columns = nice.filter((value) => value >= least / free && value <= most * free).filter((value) => x(value) - last > 34 && ((last = x(value)), true));
  const best = front(rows), marks = [], texts = [], taken = [];
  const points = rows.map((row) => ({ row, x: x(row.passes), y: inside(row.delta.mean), strong: best.includes(row), low: left, high: width, floor: bottom }));
  for (const { row, x: across, y: up } of points) {
    const ends = row.delta.span;
    taken.push({ left: across - 5, right: across + 5, top: up - 5, bottom: up + 5 });
    marks.push(svg("g", { class: row.tone, "data-tip": `${row.label}\nΔm ${row.single ? "0, the reference" : row.delta.text}\npasses per batch ${told(row.passes)}` },
      ends ? svg("line", { class: "whisker", x1: across, x2: across, y1: inside(ends[0]), y2: inside(ends[1]) }) : null,
      svg("circle", { class: ends && !row.single ? "point" : "point hollow", cx: across, cy: up, r: 5 })));
  }
  points.sort((a, b) => b.strong - a.strong || board.plain.includes(b.row.label) - board.plain.includes(a.row.label) || b.row.delta.mean - a.row.delta.mean);
  points.forEach((point) => place(texts, taken, point, cut(point.row.label, 26)));
  const steps = best.map((row, n) => `${n ? `H${x(row.passes)}V` : `M${x(row.passes)},`}${inside(row.delta.mean)}`).join("");
  return svg("svg", { width, height, role: "img", "aria-label": "Δm against passes per batch" },
    ...ticks(low, high, 5).flatMap((value) => [
      svg("line", { class: value === 0 ? "zero" : "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, (value > 0 ? "+" : "") + told(value))]),
    ...columns.map((value) => svg("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, told(value))),
    svg("text", { x: left, y: height - 4 }, "Passes per batch, left is cheaper"),
    svg("text", { x: 0, y: 10 }, "Δm %"),
    best.length ? svg("path", { class: "front", d: `${steps}H${width}` }) : null, ...marks, ...texts);
}
if (board.rows.filter((row) => row.delta && row.passes).length > 1) {
  document.getElementById("cost-note").textContent = "Dashed: no row that converged has a better Δm for less (Pareto front). Grey: not told from single-task training. Hollow: the reference, or no interval. What lies far outside stands at the edge.";
  picture("cost", paintCost);
}
