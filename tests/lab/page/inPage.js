// What the test asks of the page, from within it.
"use strict";
globalThis.asked = {
  /** First cells of the rows that are shown, of the table with this caption. */
  rows(caption) {
    const table = [...document.querySelectorAll("table")].find((one) => one.caption.textContent.trim() === caption);
    return [...table.tBodies[0].rows].filter((row) => row.checkVisibility()).map((row) => row.cells[0].innerText);
  },

  /** Text that has less contrast than 4.5 with what lies behind it. */
  faint() {
    const rgba = (text) => text.match(/[\d.]+/g).map(Number);
    const luminance = (rgb) =>
      rgb.slice(0, 3).reduce((sum, part, at) => {
        const value = part / 255;
        return (
          sum + [0.2126, 0.7152, 0.0722][at] * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        );
      }, 0);
    const behind = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour[3] !== 0) {
          return colour;
        }
      }
      return [255, 255, 255];
    };
    const seen = new Map();
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
      const element = text.parentElement;
      if (text.data.trim() === "" || !element.checkVisibility() || element.closest("script, style") !== null) {
        continue;
      }
      const [low, high] = [behind(element), rgba(getComputedStyle(element).color)].map(luminance).sort((a, b) => a - b);
      seen.set(text.data.trim().slice(0, 40), (high + 0.05) / (low + 0.05));
    }
    return { texts: seen.size, faint: [...seen].filter(([, ratio]) => ratio < 4.5) };
  },

  /** The colours of the page and of what says a verdict. */
  colours() {
    const of = (selector) => getComputedStyle(document.querySelector(selector)).backgroundColor;
    return { paper: of("body"), panel: of("thead th"), proven: of("td.proven"), wrong: of(".wrong, .bypassed") };
  },

  /** Where the keyboard is. */
  focused() {
    const at = document.activeElement;
    return `${at.tagName.toLowerCase()}${at.name ? `[${at.name}${at.type === "checkbox" ? `=${at.value}` : ""}]` : ""}`;
  },
};
