/**
 * Values that stand on lines about credentials in a text with secrets: what no error may show, whoever quotes it
 * (containerd's log, its parser).
 */
export function secretValues(text: string): string[] {
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    if (!/password|auth|token|secret/i.test(line)) {
      continue;
    }
    for (const [, basic, literal] of line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g)) {
      const value = basic ?? literal ?? "";
      // "Basic dXNlcjpwYXNz": the part after the blank is the secret, and may be quoted alone.
      for (const part of [value, ...value.split(" ")]) {
        if (part.length >= 4 && !/^(Basic|Bearer|Authorization)$/i.test(part)) {
          found.add(part);
        }
      }
    }
  }
  // The longest first: one may contain another.
  return [...found].sort((a, b) => b.length - a.length);
}
