/** Field names whose string values are secrets wherever they stand in a resource's properties. */
const secretFields = new Set([
  "password",
  "privateKey",
  "privateKeyPassword",
  "sudoPassword",
  "identityToken",
  "gcrKey",
]);

/**
 * All secret strings in a resource's properties, with the forms in which they could surface (base64 of user:password).
 */
export function secretsIn(value: unknown): string[] {
  const found = new Set<string>();
  collect(value, found);
  // Longest first, so that a secret holding another one is taken out whole.
  return [...found].filter((s) => s.length >= 4).sort((a, b) => b.length - a.length);
}

function collect(value: unknown, found: Set<string>): void {
  if (typeof value !== "object" || value === null) {
    return;
  }
  const fields = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(fields)) {
    if (secretFields.has(name) && typeof field === "string") {
      found.add(field);
      found.add(encodeURIComponent(field));
      if (typeof fields["username"] === "string") {
        found.add(Buffer.from(`${fields["username"]}:${field}`).toString("base64"));
      }
      // A key of several lines may be quoted line by line.
      for (const line of field.split("\n")) {
        if (line.length >= 20 && !line.startsWith("-----")) {
          found.add(line);
        }
      }
    } else if (name === "proxy" && typeof field === "string") {
      // http://user:password@host
      const password = /\/\/[^/@]*:([^/@]*)@/.exec(field)?.[1];
      if (password !== undefined) {
        found.add(password);
      }
    } else {
      collect(field, found);
    }
  }
}
