/* The board's table: rows are filtered, and with them the pictures; groups of columns come and go. */
const table = document.getElementById("board");
const lines = [...table.tBodies[0].rows];
const controls = ["search", "show", "origin"].map((name) => document.getElementById(name));

const tests = {
  tied: (row) => ["best", "tied"].includes(row.standing),
  above: (row) => row.tone === "better",
  unhurt: (row) => row.hurt === "0",
  tuned: (row) => row.tuned === "yes",
  untuned: (row) => row.tuned === "no",
};
function filter() {
  const [text, show, origin] = controls.map((control) => control.value.trim().toLowerCase());
  const fits = (row) =>
    row.label.toLowerCase().includes(text) &&
    (!show || tests[show](row)) &&
    (!origin || (tests[origin] ? tests[origin](row) : row.origin.includes(origin)));
  for (const line of lines) {
    line.hidden = !fits(line.dataset);
    const below = line.nextElementSibling;
    if (below?.classList.contains("details")) below.hidden = line.hidden;
  }
  const left = lines.filter((line) => !line.hidden);
  visible = new Set(left.map((line) => line.dataset.label));
  document.getElementById("count").textContent = left.length === lines.length ? `${lines.length} rows` : `${left.length} of ${lines.length} rows`;
  repaint();
}
controls.forEach((control) => control.addEventListener("input", filter));

function toggle(button, on) {
  button.setAttribute("aria-pressed", String(on));
  table.classList.toggle(`no-${button.dataset.group}`, !on);
}
document.querySelectorAll(".toggles button").forEach((button) => {
  button.addEventListener("click", () => toggle(button, button.getAttribute("aria-pressed") !== "true"));
  if (button.dataset.group === "costs" || (button.dataset.group === "metrics" && board.rows.some((row) => row.delta))) toggle(button, false);
});
sortable(table);
