"use strict";
/* What every part of the page draws with. Text goes in as text, never as markup: labels come from anyone's records. */
const board = JSON.parse(document.getElementById("data").textContent);
const byLabel = new Map(board.rows.map((row) => [row.label, row]));
let visible = new Set(byLabel.keys());
const shown = () => board.rows.filter((row) => visible.has(row.label));

function made(element, given, inside) {
  for (const [name, value] of Object.entries(given)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...inside.filter((one) => one !== null && one !== undefined));
  return element;
}
const html = (name, given = {}, ...inside) => made(document.createElement(name), given, inside);
const svg = (name, given = {}, ...inside) => made(document.createElementNS("http://www.w3.org/2000/svg", name), given, inside);

/* Pictures are drawn again when their width changes, so that letters stay letters on a phone. */
const pictures = [];
function picture(name, paint) {
  const place = document.getElementById(name);
  document.getElementById(`${name}-figure`).hidden = false;
  pictures.push(() => place.replaceChildren(...[paint(Math.max(place.clientWidth, 280))].flat()));
}
const repaint = () => pictures.forEach((paint) => paint());

function choice(place, options, changed) {
  const buttons = options.map((name, number) => html("button", { type: "button", "aria-pressed": String(number === 0) }, name));
  buttons.forEach((button, number) => button.addEventListener("click", () => {
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    changed(number);
  }));
  document.getElementById(place).replaceChildren(...(options.length > 1 ? buttons : []));
}

const linear = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);
function ticks(low, high, about) {
  const raw = (high - low || 1) / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((one) => one * power >= raw) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}
const told = (value) => String(Number(value.toPrecision(4))).replace("-", "−");
const tone = (found) => (!found.span || (found.span[0] <= 0 && found.span[1] >= 0) ? "open" : found.mean > 0 ? "better" : "worse");
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

const tip = document.body.appendChild(html("div", { id: "tip", hidden: "" }));
document.addEventListener("pointerover", (event) => {
  const found = event.target.closest("[data-tip]");
  tip.hidden = !found;
  if (found) tip.textContent = found.getAttribute("data-tip");
});
document.addEventListener("pointermove", (event) => {
  if (tip.hidden) return;
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 10))}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 10)}px`;
});
