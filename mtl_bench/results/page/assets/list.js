"use strict";
/* A list of rows that link elsewhere: sorted, found by their words, and shown by what is chosen where there is a choice. */
const listed = document.querySelector("main table"), search = document.getElementById("search"), show = document.getElementById("show");
const count = document.getElementById("count");
sortable(listed);
function filter() {
  const wanted = search.value.trim().toLowerCase();
  const rows = [...listed.tBodies[0].rows];
  rows.forEach((row) => {
    row.hidden = !row.dataset.label.toLowerCase().includes(wanted) || Boolean(show?.value && show.value !== row.dataset.kept);
  });
  const left = rows.filter((row) => !row.hidden).length;
  const things = rows.length === 1 ? count.dataset.one : count.dataset.many;
  count.textContent = left === rows.length ? `${left} ${things}` : `${left} of ${rows.length} ${things}`;
}
search.addEventListener("input", filter);
show?.addEventListener("change", filter);
