/* A link to a row unfolds it; then everything is drawn. */
function visit() {
  const line = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!line || !lines.includes(line)) return;
  unfold(line, true);
  line.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", visit);
let waiting;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(repaint, 120); });
repaint();
visit();
