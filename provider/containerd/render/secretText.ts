import { isTable, parseToml } from "../toml/toml";

/** Keys whose values are secrets in config.toml and hosts.toml, the node owner's own included. */
const secretKeys = [
  "password",
  "auth",
  "identitytoken",
  "identity_token",
  "authorization",
  "proxy-authorization",
  "x-meta-auth",
  "cookie",
];
const inLine = new RegExp(
  `((?:^|[\\s{,."'])(?:${secretKeys.join("|")})["']?\\s*=\\s*)("(?:\\\\.|[^"\\\\])*"?|'[^']*'?|\\[[^\\]]*\\]?|\\{[^}]*\\}?)`,
  "gi",
);

/** The same keys in YAML: `password: x`, quoted or not, or `auth: { … }` on one line. */
const inYaml = /^(\s*["']?(?:password|auth|identity_token)["']?\s*:[ \t]+)(\S.*)$/gim;

/** Stands in a shown text for a secret. */
const hidden = "(secret)";

/**
 * A text of a node's file as it may be shown: every credential in it is hidden, ours or not. Works on broken TOML too.
 */
export function hideSecrets(text: string): string {
  let shown = text;
  // The longest first, so that one value inside another does not leave a rest.
  for (const secret of secretsIn(text).sort((a, b) => b.length - a.length)) {
    shown = shown.replaceAll(secret, hidden);
  }
  return shown
    .replace(inYaml, `$1${hidden}`)
    .replace(inLine, `$1${hidden}`)
    .replace(/(Basic|Bearer)\s+[A-Za-z0-9+/_.=-]{4,}/gi, `$1 ${hidden}`);
}

/** Values that stand under a secret key, by parsing: this finds those that go over several lines. */
function secretsIn(text: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, secret: boolean): void => {
    if (isTable(value)) {
      for (const [key, one] of Object.entries(value)) {
        // `auth` names a table too, in which only the fields are secret.
        walk(one, secret || (secretKeys.includes(key.toLowerCase()) && !isTable(one)));
      }
    } else if (Array.isArray(value)) {
      value.forEach((one) => walk(one, secret));
    } else if (secret && typeof value === "string") {
      for (const line of value.split("\n")) {
        // A short one is left to the pattern: replaced everywhere, it would garble the text.
        if (line.trim().length >= 6) {
          found.add(line);
        }
      }
    }
  };
  try {
    walk(parseToml(text, ""), false);
  } catch {
    return [];
  }
  return [...found];
}
