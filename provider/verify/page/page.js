// Filters. They choose nodes and words; rows about none of them are hidden. Without this script the page is whole.
"use strict";
{
  const form = document.getElementById("filters");
  const { text, problems, shown } = form.elements;

  const textsOf = (elements) => [...elements].map((element) => element.textContent);

  /** The names that a row is about. */
  const namesOf = ({ cells: [cell] }) => {
    const { list, but } = cell.dataset;
    const inCell = textsOf(cell.querySelectorAll("bdi"));
    if (list === undefined) {
      return inCell;
    }
    const listed = textsOf(document.querySelectorAll(`#${list} li`));
    return but === undefined ? listed : listed.filter((name) => !inCell.includes(name));
  };

  const rowsOf = (section) =>
    [...section.querySelectorAll("tbody tr")].map((row) => ({
      row,
      words: row.textContent.toLowerCase(),
      good: row.classList.contains("good"),
    }));

  const sections = [...document.querySelectorAll("section.cluster")].map((section) => {
    const rows = rowsOf(section).map((one) => ({
      ...one,
      names: namesOf(one.row),
      verdict: one.row.querySelector("[data-verdict]")?.dataset.verdict,
    }));
    const nodes = rows.filter(({ verdict }) => verdict !== undefined);
    const verdicts = new Map(nodes.flatMap(({ names, verdict }) => names.map((name) => [name, verdict])));
    return { rows, nodes, verdicts, items: [...section.querySelectorAll(".lists li")] };
  });
  const all = sections.reduce((sum, { verdicts }) => sum + verdicts.size, 0);
  /** Rows about registries and what was pushed to them: nodes' verdicts do not choose among these. */
  const pushed = [...document.querySelectorAll("section.pushed")].flatMap(rowsOf);
  const pushedImages = pushed.filter(({ row }) => row.cells[0].dataset.image !== undefined);

  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    const chosen = new Set([...form.querySelectorAll("[name=verdict]:checked")].map(({ value }) => value));
    let left = 0;
    for (const { rows, verdicts, items } of sections) {
      const named = new Set([...verdicts.keys()].filter((name) => name.toLowerCase().includes(wanted)));
      const seen = new Set();
      for (const { row, names, words, good, verdict } of rows) {
        const ofVerdict = chosen.size === 0 ? names : names.filter((name) => chosen.has(verdicts.get(name)));
        const matching = ofVerdict.filter((name) => named.has(name));
        const byWords = words.includes(wanted) && ofVerdict.length > 0;
        row.hidden = (problems.checked && good) || !(byWords || matching.length > 0);
        mark(row, wanted === "" ? ofVerdict : matching, names.length);
        if (!row.hidden && verdict !== undefined) {
          (wanted !== "" && matching.length > 0 ? matching : ofVerdict).forEach((name) => seen.add(name));
        }
      }
      for (const item of items) {
        const name = item.textContent;
        item.hidden = !(named.has(name) && (chosen.size === 0 || chosen.has(verdicts.get(name))));
      }
      left += seen.size;
    }
    for (const { row, words, good } of pushed) {
      row.hidden = (problems.checked && good) || !words.includes(wanted);
    }
    const filtered = wanted !== "" || chosen.size > 0 || problems.checked;
    shown.value = filtered ? [...counted(left, all, "nodes"), ...countedImages()].join(", ") : "";
  };

  const counted = (some, of, what) => (of === 0 ? [] : [`${some} of ${of} ${what}`]);
  const countedImages = () =>
    counted(pushedImages.filter(({ row }) => !row.hidden).length, pushedImages.length, "pushed images");

  /** Of a row about many nodes: which of them were asked for. */
  const mark = (row, matching, count) => {
    const cell = row.cells[0];
    cell.querySelector(".matching")?.remove();
    if (cell.dataset.list !== undefined && matching.length > 0 && matching.length < count) {
      const note = document.createElement("small");
      note.className = "matching";
      const more = matching.length > 3 ? " …" : "";
      note.textContent = `of these ${matching.length}: ${matching.slice(0, 3).join(", ")}${more}`;
      cell.append(note);
    }
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  // The fields are empty only after the event.
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  // A browser that goes back to the page fills its fields again.
  filter();
}
