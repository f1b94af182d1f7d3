/* Conflicts that diagnostics measured, and affinities, groups and shares that a method found: of one row at a time. */
function matrix({ name, values, to_mean: mean }, tasks) {
  const rows = values.map((row, n) => [tasks[n], row]);
  if (mean) rows.push(["each to the mean of all", mean]);
  const most = Math.max(...rows.flatMap(([, row]) => row).filter((value) => value !== null).map(Math.abs)) || 1;
  const cell = (value) => (value === null ? html("td") : html("td", { class: `cell ${value < 0 ? "worse" : "better"}`, style: `--strength:${Math.round((55 * Math.abs(value)) / most)}%` }, told(Number(value.toPrecision(2)))));
  return html("div", {}, html("h3", {}, name), html("table", { class: "matrix" },
    html("thead", {}, html("tr", {}, html("td"), ...tasks.map((task) => html("th", { scope: "col" }, task)))),
    html("tbody", {}, ...rows.map(([task, row]) => html("tr", {}, html("th", { scope: "row" }, task), ...row.map(cell))))));
}

function groups(found, tasks) {
  const left = 140, step = 20, side = Math.min(34, 560 / found.length), width = left + side * found.length + 4, height = step * tasks.length + 22;
  const cells = found.flatMap(([epoch, parts], column) => parts.flatMap((part) => part.map((task) => svg("rect", {
    class: `bar c${Math.min(...part.map((one) => tasks.indexOf(one))) % 8}`, x: left + column * side, y: tasks.indexOf(task) * step, width: side - 2, height: step - 2, rx: 2, "data-tip": `epoch ${epoch}\n${part.join(", ")}` }))));
  return html("div", {}, html("h3", {}, "groups after each epoch: one colour, one group"), svg("svg", { width, height, role: "img", "aria-label": "groups" },
    ...tasks.map((task, n) => svg("text", { x: left - 8, y: n * step + 13, "text-anchor": "end" }, cut(task, 20))), ...cells,
    svg("text", { x: left, y: height - 4 }, `epochs ${found[0][0]} to ${found.at(-1)[0]}`)));
}

function shares({ name, x: epochs, series }, tasks) {
  const width = 420, height = 190, left = 40, bottom = height - 22, high = Math.max(...series.flat()) * 1.06;
  const x = linear(epochs[0], epochs.at(-1), left, width - 130), y = linear(0, high, bottom, 8);
  return html("div", {}, html("h3", {}, `${name}: share of each task, mean over layers`), svg("svg", { width, height, role: "img", "aria-label": name },
    ...ticks(0, high, 4).flatMap((value) => [svg("line", { class: "grid", x1: left, x2: width - 130, y1: y(value), y2: y(value) }), svg("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, told(value))]),
    ...series.map((values, n) => svg("g", { class: `c${n % 8}`, "data-tip": tasks[n] }, svg("path", { class: "line", d: values.map((value, e) => `${e ? "L" : "M"}${x(epochs[e])},${y(value)}`).join("") }))),
    ...spread(series.map((values) => y(values.at(-1))), 13).map((place, n) => svg("text", { x: width - 124, y: place + 4, style: `fill:var(--c${n % 8})` }, cut(tasks[n], 18))),
    svg("text", { x: left, y: height - 4 }, `epochs ${epochs[0]} to ${epochs.at(-1)}`)));
}
function spread(places, apart) {
  const order = places.map((place, n) => [place, n]).sort((a, b) => a[0] - b[0]);
  order.forEach((one, n) => { if (n) one[0] = Math.max(one[0], order[n - 1][0] + apart); });
  return order.sort((a, b) => a[1] - b[1]).map(([place]) => place);
}

const tellers = board.rows.filter((row) => row.gradients);
if (tellers.length) {
  const select = document.getElementById("gradients-row");
  select.append(...tellers.map((row) => html("option", {}, row.label)));
  select.addEventListener("input", repaint);
  picture("gradients", () => {
    const { tasks, seed, matrices, groups: found, shares: parts } = byLabel.get(select.value).gradients;
    return [html("p", { class: "hint", style: "margin:0 0 10px" }, `seed ${seed}; cosines are means over the batches that diagnostics probed, affinities and shares as after the last epoch`),
      html("div", { class: "panels" }, ...matrices.map((one) => matrix(one, tasks)), found.length ? groups(found, tasks) : null, ...parts.map((one) => shares(one, tasks)))];
  });
}
