/** The text with each secret replaced by `[secret]`. Give the longest secret first: one may contain another. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
}
