"use strict";
/* The index: boards are sorted, and found by their name, a task or a method. */
sortable(document.getElementById("boards"));
document.getElementById("search").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  const rows = [...document.querySelectorAll("#boards tbody tr")];
  rows.forEach((row) => { row.hidden = !row.dataset.label.toLowerCase().includes(wanted); });
  const left = rows.filter((row) => !row.hidden).length;
  const boards = rows.length === 1 ? "board" : "boards";
  document.getElementById("count").textContent = left === rows.length ? `${left} ${boards}` : `${left} of ${rows.length} ${boards}`;
});
