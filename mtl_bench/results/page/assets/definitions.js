/* The places of methods under each definition of Δm; lines cross where the ranking changes. */
function paintPlaces(width) {
  const names = board.definitions.map((one) => one.name);
  const rows = shown().filter((row) => row.places[names[0]]);
  const renumbered = names.map((name) => [...rows].filter((row) => row.places[name]).sort((a, b) => a.places[name] - b.places[name]));
  const place = (row, n) => {  /* among those shown; equal ones share their mean place */
    const all = renumbered[n].map((one) => one.places[names[n]]), own = row.places[names[n]];
    return told((all.indexOf(own) + all.lastIndexOf(own)) / 2 + 1);
  };
  const side = Math.min(170, width * 0.3), step = rows.length > 24 ? 15 : 20, top = 34, height = top + rows.length * step + 4;
  const x = linear(0, names.length - 1, side, width - side), y = (place) => top + (place + 0.5) * step;
  const head = names.map((name, n) => svg("text", { x: x(n), y: 12, "text-anchor": n === 0 ? "end" : n === names.length - 1 ? "start" : "middle", class: "strong" }, name));
  const worth = Math.max(3, rows.length / 5);  /* places: neighbours swap by chance */
  const paths = rows.map((row) => {
    const places = renumbered.map((order) => order.indexOf(row)), known = places.filter((place) => place >= 0);
    const far = Math.max(...known) - Math.min(...known) >= worth;
    const d = places.map((place, n) => (place < 0 ? "" : `${n ? `C${x(n - 0.5)},${y(places[n - 1])} ${x(n - 0.5)},${y(place)} ` : "M"}${x(n)},${y(place)}`)).join("");
    const ends = [0, names.length - 1].filter((n) => places[n] >= 0);
    return svg("g", { class: far ? "far" : "open", "data-tip": `${row.label}\n${names.map((name) => `${name}: ${row.places[name] ?? "–"}`).join("\n")}` },
      svg("path", { class: far ? "bump far" : "bump", d }),
      ...places.map((place, n) => (place < 0 ? null : svg("circle", { class: "point", cx: x(n), cy: y(place), r: 3.5 }))),
      ...ends.map((n) => svg("text", { x: x(n) + (n ? 10 : -10), y: y(places[n]) + 4, "text-anchor": n ? "start" : "end", class: far ? "strong" : null }, n ? cut(`${place(row, n)}  ${row.label}`, side / 7.6) : cut(`${row.label}  ${place(row, n)}`, side / 7.6))));
  });
  return svg("svg", { width, height, role: "img", "aria-label": "places under each definition" }, ...head, ...paths);
}
if (board.definitions.length > 1) {
  const others = board.definitions.slice(1).map((one) => `${one.name}${one.judged ? ` (${one.judged})` : ""}${one.tau === null ? "" : ` τ = ${one.tau.toFixed(2).replace("-", "−")}`}`);
  document.getElementById("definitions-note").textContent = `Kendall's τ with the order by ${board.definition}: ${others.join("; ")}. Places are those of means: neighbours that tie may swap by chance.`;
  picture("definitions", paintPlaces);
}
