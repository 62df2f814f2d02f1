/**
 * Matches a path as Go's filepath.Match does: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, `\` takes
 * the next character as it is. A pattern that Go would refuse matches nothing.
 */
export function matchesGlob(pattern: string, path: string): boolean {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] as string;
    if (char === "*") {
      source += "[^/]*";
    } else if (char === "?") {
      source += "[^/]";
    } else if (char === "\\" && i + 1 < pattern.length) {
      source += escape(pattern[++i] as string);
    } else if (char === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) {
        return false;
      }
      const inner = pattern.slice(i + 1, end);
      source += `[${inner.startsWith("^") ? "^" : ""}${inner.replace(/^\^/, "").replace(/[\\\]^[]/g, "\\$&")}]`;
      i = end;
    } else {
      source += escape(char);
    }
  }
  try {
    return new RegExp(`^${source}$`, "s").test(path);
  } catch {
    return false;
  }
}

function escape(char: string): string {
  return char.replace(/[.*+?^${}()|[\]\\/]/, "\\$&");
}
