import type { Verdict } from "../nodeVerification";
import { type Html, html } from "./html";
import { verdictBadge } from "./signs";

/** Shown by page.js alone: without scripts they could do nothing. */
export function filters(verdicts: readonly Verdict[]): Html {
  return html`<form id="filters" class="filters" hidden>
    <label class="text"
      >Name contains
      <input
        type="search"
        name="text"
        placeholder="node, host, image, containerd"
        autocomplete="off"
        spellcheck="false"
    /></label>
    <label><input type="checkbox" name="problems" /> Only problems</label>
    <button type="reset">Show all</button>
    <output name="shown" aria-live="polite"></output>
    <fieldset>
      <legend>Nodes that are</legend>
      ${verdicts.map(
        (verdict) =>
          html`<label><input type="checkbox" name="verdict" value="${verdict}" /> ${verdictBadge(verdict)}</label> `,
      )}
    </fieldset>
  </form>`;
}
