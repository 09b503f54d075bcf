"use strict";
// Makes sortable what is marked so, and gives the table of rows its filter. Text is only ever compared and counted:
// no markup is made here.
(() => {
  // Rows that stand in the document at a time: a filter answers at once however many there are.
  const PAGE = 100;
  const collator = new Intl.Collator("en", { numeric: true });

  // A number where the cell says one, else text, in which 9 comes before 10.
  const value = (row, column) => {
    const cell = row.cells[column];
    const { sort } = cell.dataset;
    if (sort === undefined) return cell.textContent;
    return sort === "" || Number.isNaN(Number(sort)) ? sort : Number(sort);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b));

  const sortable = (table, show) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.dataset.unsorted !== undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const first = head.dataset.first ?? "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        for (const each of heads) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        show((rows) => {
          const keyed = rows.map((row) => [value(row, column), row]);
          keyed.sort(([a], [b]) => sign * compare(a, b));
          return keyed.map(([, row]) => row);
        }, body);
      });
    });
  };

  for (const table of document.querySelectorAll("table.sortable:not(#worst)")) {
    sortable(table, (sort, body) => body.append(...sort([...body.rows])));
  }

  const table = document.getElementById("worst");
  if (!table) return;
  const body = table.tBodies[0];
  const text = document.getElementById("filter-text");
  const choices = [...document.querySelectorAll("select[data-filter]")];
  const told = document.getElementById("filter-told");
  const more = document.getElementById("filter-more");
  const known = new Map([...body.rows].map((row) => [row, row.textContent.toLowerCase()]));
  let rows = [...body.rows];
  let limit = PAGE;

  const fits = (row, words) =>
    words.every((word) => known.get(row).includes(word)) &&
    choices.every(({ value, dataset }) => !value || (" " + row.dataset[dataset.filter] + " ").includes(" " + value + " "));

  const draw = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row) => fits(row, words));
    const shown = found.slice(0, limit);
    body.replaceChildren(...shown);
    const all = rows.length.toLocaleString("en");
    told.textContent = found.length === 0
      ? `None of the ${all} rows fits.`
      : `${found.length.toLocaleString("en")} of ${all} rows fit; ${shown.length.toLocaleString("en")} are shown.`;
    more.hidden = shown.length === found.length;
  };
  const again = () => {
    limit = PAGE;
    draw();
  };

  sortable(table, (sort) => {
    rows = sort(rows);
    again();
  });
  text.addEventListener("input", again);
  for (const choice of choices) choice.addEventListener("change", again);
  document.getElementById("filter-clear").addEventListener("click", () => {
    text.value = "";
    for (const choice of choices) choice.value = "";
    again();
    text.focus();
  });
  more.addEventListener("click", () => {
    limit += 4 * PAGE;
    draw();
  });
  for (const hidden of document.querySelectorAll(".controls[hidden]")) hidden.hidden = false;
  draw();
})();
