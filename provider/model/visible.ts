/**
 * What a person cannot see is written out, `\u202e`: a mark that turns the writing direction, a character of no width,
 * or half of one would make a name look like another.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) =>
    /[\t\n\r]/.test(found) ? found : `\\u${(found.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
