import type { CoverageStatus } from "../coverage/coverage";
import type { Verdict } from "../nodeVerification";
import type { PublicDigest } from "../pushed/pushedText";
import { type Html, html } from "./html";

/** A colour, by what it means; page.css has two of each, for light and for dark. */
export type Tone = "proven" | "agrees" | "bypassed" | "failing" | "wrong" | "unknown" | "neutral";

/** How something is shown: never by its colour alone. */
export interface Sign {
  readonly sign: string;
  readonly tone: Tone;
}

/** @internal A test compares them. */
export const verdictSigns: Record<Verdict, Sign> = {
  proven: { sign: "✓", tone: "proven" },
  consistent: { sign: "≈", tone: "agrees" },
  fallback: { sign: "→", tone: "bypassed" },
  "pull-failed": { sign: "!", tone: "failing" },
  "not-found": { sign: "∅", tone: "failing" },
  "mirror-unavailable": { sign: "×", tone: "failing" },
  unauthorized: { sign: "⊘", tone: "failing" },
  mismatch: { sign: "≠", tone: "wrong" },
  "not-configured": { sign: "–", tone: "wrong" },
  unreachable: { sign: "?", tone: "unknown" },
};

export const coverageSigns: Record<CoverageStatus, Sign> = {
  served: { sign: "✓", tone: "proven" },
  "no-digest": { sign: "≈", tone: "agrees" },
  "not-mirrored": { sign: "→", tone: "bypassed" },
  missing: { sign: "∅", tone: "failing" },
  "other-digest": { sign: "≠", tone: "wrong" },
  unknown: { sign: "?", tone: "unknown" },
  local: { sign: "⌂", tone: "neutral" },
};

/** A word that a newer version's state has, or a program made up, is shown all the same. */
const unheard: Sign = { sign: "?", tone: "unknown" };

export function verdictSign(verdict: Verdict): Sign {
  return verdictSigns[verdict] ?? unheard;
}

export function coverageSign(status: CoverageStatus): Sign {
  return coverageSigns[status] ?? unheard;
}

/** The sign and the word, in the colour. */
function badge(word: string, { sign, tone }: Sign): Html {
  return html`<span class="badge ${tone}"><b>${sign}</b> ${word}</span>`;
}

export function verdictBadge(verdict: Verdict): Html {
  return badge(verdict, verdictSign(verdict));
}

export function coverageBadge(status: CoverageStatus): Html {
  return badge(status, coverageSign(status));
}

const publicDigestSigns: Record<PublicDigest, Sign> = {
  kept: { sign: "✓", tone: "proven" },
  changed: { sign: "≠", tone: "bypassed" },
  "not known": { sign: "?", tone: "unknown" },
};

/** Whether a pushed image has the digest of the public registry. */
export function publicDigestBadge(word: PublicDigest): Html {
  return badge(word, publicDigestSigns[word]);
}

/** Of an image that has the signatures that are asked for. */
export function signedBadge(): Html {
  return badge("signed", verdictSigns.proven);
}

/** Of a registry, as far as a push set is concerned. */
export function completeBadge(complete: boolean): Html {
  return complete ? badge("complete", verdictSigns.proven) : badge("not as declared", verdictSigns["pull-failed"]);
}

/** Of an image whose digests are all the same. */
export function agreementBadge(): Html {
  return badge("all agree", verdictSigns.proven);
}
