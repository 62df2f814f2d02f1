import { type ErrorCode, withCode } from "./codes";
import { MirrorError } from "./errors";

/**
 * Something in what a program says that must be put right before anything is touched. Problems are gathered, so that one
 * preview shows all of a resource; the sentence with its code is made where a person reads it.
 */
export interface Problem {
  /** Stable, safe to branch on; docs/errors.md has them all. */
  readonly code: ErrorCode;
  /** The argument, its value and the way out. No secrets. */
  readonly text: string;
}

/** Of a value that is not of the kind that the argument takes. */
export function invalidArgument(text: string): Problem {
  return { code: "ARGUMENTS_INVALID", text };
}

/** Of arguments that nothing can be made of: one in a sentence, several in a line each. */
export function argumentsError(what: string, problems: readonly Problem[]): MirrorError {
  const texts = problems.map(({ text }) => text);
  const said = texts.length === 1 ? ` ${texts.join("")}` : texts.map((text) => `\n  - ${text}`).join("");
  return new MirrorError("ARGUMENTS_INVALID", `${what}:${said}`);
}

/** An error of a step that only looked. */
export function problemOf({ code, message }: MirrorError): Problem {
  return { code, text: message };
}

/** The same with what it says beside its message. */
export function problemsOf(error: MirrorError): Problem[] {
  const first = problemOf(error);
  if (error.parts.length > 0) {
    return [first, ...error.parts];
  }
  // Some messages quote their reasons; nothing is said twice.
  const others = error.reasons.filter((reason) => !first.text.includes(reason));
  return [first, ...others.map((text) => ({ code: error.code, text }))];
}

/** `connection: both privateKey and privateKeyPath are given; ... [NODE_KEY]` */
export function problemText({ code, text }: Problem): string {
  return withCode(text, code);
}
