/** One `[table]` header line of a TOML text. */
export interface HeaderLine {
  keys: string[];
  /** Zero-based line. */
  line: number;
  indent: string;
  /** `[[array]]` */
  array: boolean;
}

/**
 * Finds the header lines of a valid TOML text, skipping what only looks like one inside multi-line strings and arrays.
 * The parsers at hand do not say where a table stands, or whether it has a header at all; containerd 2.x cares (a host of
 * hosts.toml without a header is ignored), and so does an edit that is to land in the right place.
 */
export function headerLines(text: string): HeaderLine[] {
  const found: HeaderLine[] = [];
  let line = 0;
  let at = 0;
  while (at < text.length) {
    const start = at;
    while (text[at] === " " || text[at] === "\t") {
      at++;
    }
    if (text[at] === "[") {
      const array = text[at + 1] === "[";
      const header = readKeys(text, at + (array ? 2 : 1));
      if (header !== undefined) {
        found.push({ keys: header, line, indent: text.slice(start, at), array });
      }
    }
    const end = statementEnd(text, at);
    line += count(text, start, end);
    at = end;
  }
  return found;
}

/** Index just behind the line break that ends the statement starting here. */
function statementEnd(text: string, from: number): number {
  let at = from;
  let depth = 0;
  const isHeader = text[at] === "[";
  while (at < text.length) {
    const char = text[at];
    if (char === "#") {
      while (at < text.length && text[at] !== "\n") {
        at++;
      }
      continue;
    }
    if (char === '"' || char === "'") {
      at = stringEnd(text, at);
      continue;
    }
    if (!isHeader && (char === "[" || char === "{")) {
      depth++;
    } else if (!isHeader && (char === "]" || char === "}")) {
      depth--;
    } else if (char === "\n" && depth <= 0) {
      return at + 1;
    }
    at++;
  }
  return at;
}

function stringEnd(text: string, from: number): number {
  const mark = text[from] as string;
  const triple = mark.repeat(3);
  const multi = text.startsWith(triple, from);
  const close = multi ? triple : mark;
  let at = from + close.length;
  while (at < text.length) {
    if (mark === '"' && text[at] === "\\") {
      at += 2;
    } else if (text.startsWith(close, at)) {
      at += close.length;
      // """…"""" ends with a quote of its own: up to two more belong to the string.
      while (multi && text[at] === mark) {
        at++;
      }
      return at;
    } else if (!multi && text[at] === "\n") {
      return at;
    } else {
      at++;
    }
  }
  return at;
}

/** The dotted key that starts here and ends at `]`. */
function readKeys(text: string, from: number): string[] | undefined {
  const keys: string[] = [];
  let at = from;
  for (;;) {
    while (text[at] === " " || text[at] === "\t") {
      at++;
    }
    const char = text[at];
    if (char === '"' || char === "'") {
      const end = stringEnd(text, at);
      const inner = text.slice(at + 1, end - 1);
      keys.push(char === '"' ? unescape(inner) : inner);
      at = end;
    } else {
      const bare = /^[^\s.\]"'#\n=]+/.exec(text.slice(at, at + 512));
      if (bare === null) {
        return undefined;
      }
      keys.push(bare[0]);
      at += bare[0].length;
    }
    while (text[at] === " " || text[at] === "\t") {
      at++;
    }
    if (text[at] === "]") {
      return keys;
    }
    if (text[at] !== ".") {
      return undefined;
    }
    at++;
  }
}

function unescape(inner: string): string {
  const simple: Record<string, string> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\u001b", '"': '"', "\\": "\\" };
  return inner.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g, (_, four?: string, eight?: string, one?: string) => {
    const code = four ?? eight;
    return code === undefined ? (simple[one ?? ""] ?? "") : String.fromCodePoint(Number.parseInt(code, 16));
  });
}

function count(text: string, from: number, to: number): number {
  let lines = 0;
  for (let i = from; i < to; i++) {
    if (text[i] === "\n") {
      lines++;
    }
  }
  return lines;
}
