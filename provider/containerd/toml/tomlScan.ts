/** One statement of a TOML text: a header, a key with its value, or what is none (comment, blank line). */
export interface Statement {
  kind: "header" | "key" | "none";
  /** Of a header: the whole path. Of a key: as it stands, without its table's path. */
  keys: string[];
  /** `[[array]]` */
  array: boolean;
  indent: string;
  /** Offsets; the end is behind the line break. */
  start: number;
  end: number;
  /** Zero-based line of the start. */
  line: number;
}

/**
 * Takes a valid TOML text apart, so that an edit can land in the right place; what only looks like a header inside
 * multi-line strings and arrays is none. The parsers at hand do not say where a table stands, or whether it has a
 * header at all, and containerd 2.x cares: a host of hosts.toml without a header is ignored.
 */
export function statements(text: string): Statement[] {
  const found: Statement[] = [];
  let line = 0;
  let at = 0;
  while (at < text.length) {
    const start = at;
    while (text[at] === " " || text[at] === "\t") {
      at++;
    }
    const indent = text.slice(start, at);
    const array = text.startsWith("[[", at);
    const header = text[at] === "[" ? readKeys(text, at + (array ? 2 : 1), "]") : undefined;
    const key = header === undefined && !/[#\r\n]/.test(text[at] ?? "\n") ? readKeys(text, at, "=") : undefined;
    const end = statementEnd(text, at);
    found.push({
      kind: header !== undefined ? "header" : key !== undefined ? "key" : "none",
      keys: header ?? key ?? [],
      array: header !== undefined && array,
      indent,
      start,
      end,
      line,
    });
    line += count(text, start, end);
    at = end;
  }
  return found;
}

/** The header lines alone. */
export function headerLines(text: string): Statement[] {
  return statements(text).filter((one) => one.kind === "header");
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

/** The dotted key that starts here and ends at `]` or `=`. */
function readKeys(text: string, from: number, close: "]" | "="): string[] | undefined {
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
      const bare = /^[^\s.\]"'#=]+/.exec(text.slice(at, at + 512));
      if (bare === null) {
        return undefined;
      }
      keys.push(bare[0]);
      at += bare[0].length;
    }
    while (text[at] === " " || text[at] === "\t") {
      at++;
    }
    if (text[at] === close) {
      return keys;
    }
    if (text[at] !== ".") {
      return undefined;
    }
    at++;
  }
}

function unescape(inner: string): string {
  const simple: Record<string, string> = {
    b: "\b",
    t: "\t",
    n: "\n",
    f: "\f",
    r: "\r",
    e: "\u001b",
    '"': '"',
    "\\": "\\",
  };
  return inner.replace(
    /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g,
    (_, four?: string, eight?: string, one?: string) => {
      const code = four ?? eight;
      return code === undefined ? (simple[one ?? ""] ?? "") : String.fromCodePoint(Number.parseInt(code, 16));
    },
  );
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
