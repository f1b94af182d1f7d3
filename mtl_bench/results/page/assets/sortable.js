/* A click on a heading sorts, a second one turns the order; what has no number, and what diverged, stays last. */
function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const value = row.cells[column].dataset.sort;
    return value === "" || value === undefined ? null : Number.isNaN(Number(value)) ? value : Number(value);
  };
  function sort(column, order) {
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const last = (row, value) => (value === null ? 2 : row.classList.contains("diverged") && column > 1 ? 1 : 0);
    const rows = [...body.rows].filter((row) => !row.classList.contains("details"));
    const unfolded = new Map(rows.map((row) => [row, row.nextElementSibling?.classList.contains("details") ? row.nextElementSibling : null]));
    rows
      .map((row, place) => ({ row, place, value: key(row, column) }))
      .sort((a, b) => {
        const ends = last(a.row, a.value) - last(b.row, b.value);
        if (ends || a.value === null) return ends || a.place - b.place;
        const both = typeof a.value === "number" && typeof b.value === "number";
        const before = both ? a.value - b.value : String(a.value).localeCompare(String(b.value));
        return sign * before || a.place - b.place;
      })
      .forEach(({ row }) => body.append(row, ...(unfolded.get(row) ? [unfolded.get(row)] : [])));
  }
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const now = head.getAttribute("aria-sort"), first = head.dataset.first ?? "ascending";
    const other = { ascending: "descending", descending: "ascending" };
    sort(column, now ? other[now] : first);
  }));
}
