/* Training losses and validation values over epochs, one panel per task; a chip per row switches its curve. */
const kinds = [
  { key: "val", name: "Validation" },
  { key: "train", name: "Training loss" },
].filter((kind) => board.rows.some((row) => Object.values(row.curves).some((curve) => curve[kind.key] && curve.x.length > 1)));
let kind = kinds[0];
const COLOURS = 8;
const chosen = new Map();  /* label → number of its colour */

function choose(label) {
  if (chosen.delete(label)) return;
  const free = [...Array(COLOURS).keys()].find((number) => ![...chosen.values()].includes(number));
  if (free === undefined) chosen.delete(chosen.keys().next().value);
  chosen.set(label, free ?? [...Array(COLOURS).keys()].find((number) => ![...chosen.values()].includes(number)));
}

function chips() {
  const rows = shown().filter((row) => Object.keys(row.curves).length);
  document.getElementById("curves-rows").replaceChildren(...rows.map((row) => {
    const colour = chosen.get(row.label);
    const chip = html("button", { type: "button", "aria-pressed": String(colour !== undefined), class: colour === undefined ? null : `c${colour}` }, row.label);
    chip.addEventListener("click", () => { choose(row.label); repaint(); });
    return chip;
  }));
}

function panelOf(task, width, height) {
  const found = [...chosen].filter(([label]) => visible.has(label)).map(([label, colour]) => ({ label, colour, curve: byLabel.get(label).curves[task.name] })).filter((one) => one.curve?.[kind.key]);
  const title = kind.key === "val" ? `${task.name} · ${task.metric}${task.unit ? ` ${task.unit}` : ""} ${task.up ? "↑" : "↓"}` : `${task.name} · training loss`;
  const values = found.flatMap((one) => one.curve[kind.key].flat()).filter((value) => value !== null);
  if (!values.length) return svg("svg", { width, height }, svg("text", { x: 0, y: 12, class: "strong" }, title), svg("text", { x: 0, y: 40 }, "nothing chosen was measured here"));
  const epochs = found.flatMap((one) => one.curve.x), left = 44, bottom = height - 22, free = 0.05 * (Math.max(...values) - Math.min(...values) || 1);
  const low = Math.min(...values) - free, high = Math.max(...values) + free;
  const x = linear(Math.min(...epochs), Math.max(...epochs), left, width - 6), y = linear(low, high, bottom, 24);
  const lines = found.map(({ label, colour, curve }) => {
    const [mean, least = mean, most = mean] = curve[kind.key], points = curve.x.map((epoch, n) => [epoch, mean[n], least[n], most[n]]).filter((one) => one.every((value) => value !== null));
    if (!points.length) return null;  /* no epoch that all seeds know */
    const path = (at, from) => at.map(([epoch, value], n) => `${n ? "L" : from}${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join("");
    const band = path(points.map((p) => [p[0], p[3]]), "M") + path(points.map((p) => [p[0], p[2]]).reverse(), "L");
    return svg("g", { class: `c${colour}`, "data-tip": `${label}\n${title}\nlast: ${told(points.at(-1)[1])}` }, svg("path", { class: "band", d: `${band}Z` }), svg("path", { class: "line", d: path(points, "M") }),
      svg("circle", { class: "point", cx: x(points.at(-1)[0]), cy: y(points.at(-1)[1]), r: 3.2 }));
  }).filter((line) => line);
  return svg("svg", { width, height, role: "img", "aria-label": title }, svg("text", { x: 0, y: 12, class: "strong" }, title),
    ...ticks(low, high, 4).flatMap((value) => [svg("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }), svg("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, told(value))]),
    ...ticks(Math.min(...epochs), Math.max(...epochs), 4).map((value) => svg("text", { x: Math.min(x(value), width - 12), y: height - 6, "text-anchor": "middle" }, told(value))), ...lines);
}

function paintCurves(width) {
  chips();
  const count = Math.max(1, Math.min(board.tasks.length, Math.floor(width / 300))), each = (width - (count - 1) * 28) / count;
  return html("div", { class: "panels", style: "column-gap:28px" }, ...board.tasks.map((task) => panelOf(task, each - 0.5, 210)));
}
if (kinds.length) {
  const known = board.rows.filter((row) => Object.keys(row.curves).length);
  const start = [...known.filter((row) => !row.single).slice(0, 3), ...known.filter((row) => board.plain.includes(row.label) || row.single)];
  [...new Set(start)].forEach((row) => choose(row.label));
  choice("curves-kind", kinds.map((one) => one.name), (number) => { kind = kinds[number]; repaint(); });
  picture("curves", paintCurves);
}
