/** One way in that a registry offers (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case: `basic`, `bearer` ... */
  scheme: string;
  /** Names in lower case. */
  parameters: Record<string, string>;
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;

/**
 * Reads a WWW-Authenticate header: several challenges in one, commas and escapes inside quotes, no space after commas.
 * What cannot be read ends the list instead of failing it: what came before may well be enough.
 */
export function parseChallenges(header: string): Challenge[] {
  const found: Challenge[] = [];
  let at = 0;
  const skip = (set: string): void => {
    while (at < header.length && set.includes(header[at] as string)) {
      at++;
    }
  };
  const word = (): string | undefined => {
    token.lastIndex = at;
    const match = token.exec(header);
    if (match === null) {
      return undefined;
    }
    at = token.lastIndex;
    return match[0];
  };

  for (;;) {
    skip(" \t,");
    const first = word();
    if (first === undefined) {
      return found;
    }
    const afterFirst = at;
    skip(" \t");
    if (header[at] === "=" && header[at + 1] !== "=" && found.length > 0) {
      at++;
      skip(" \t");
      const value = header[at] === '"' ? quoted() : word();
      if (value === undefined) {
        return found;
      }
      (found[found.length - 1] as Challenge).parameters[first.toLowerCase()] = value;
      continue;
    }
    at = afterFirst;
    found.push({ scheme: first.toLowerCase(), parameters: {} });
  }

  function quoted(): string | undefined {
    let text = "";
    for (at++; at < header.length; at++) {
      const c = header[at] as string;
      if (c === '"') {
        at++;
        return text;
      }
      if (c === "\\" && at + 1 < header.length) {
        at++;
        text += header[at] as string;
      } else {
        text += c;
      }
    }
    return undefined;
  }
}
