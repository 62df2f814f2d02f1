import { type Html, html } from "./html";
import type { Tone } from "./signs";

export interface Share {
  readonly word: string;
  readonly tone: Tone;
  readonly count: number;
}

/** One of a thousand can still be seen. */
const least = 0.012;

/**
 * Shares as a bar. Its lengths are attributes of a picture: the page's policy forbids style attributes, so that no value
 * of somebody else's can ever be one.
 */
export function bar(label: string, shares: readonly Share[]): Html {
  const shown = shares.filter(({ count }) => count > 0);
  const all = shown.reduce((sum, { count }) => sum + count, 0);
  const widths = shown.map(({ count }) => Math.max(least, count / all));
  const wide = widths.reduce((sum, width) => sum + width, 0);
  let x = 0;
  const parts = shown.map(({ tone }, n) => {
    const width = ((widths[n] ?? 0) / wide) * 1000;
    const part = html`<rect class="${tone}" x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="10" />`;
    x += width;
    return part;
  });
  const said = shown.map(({ word, count }) => `${count} ${word}`).join(", ");
  return html`<svg
    class="bar"
    viewBox="0 0 1000 10"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}: ${said}"
  >
    ${parts}
  </svg>`;
}
