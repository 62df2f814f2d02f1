import { type ErrorCode, withCode } from "./codes";
import type { Problem } from "./problem";

const mark = Symbol.for("pulumi-registry-mirror.error");

/**
 * The one error family of this package. Every message a user can see names the thing, the value and the way out.
 *
 * `name` and `code` are stable and safe to branch on. `instanceof` also holds across two installed copies of the
 * package (a Pulumi program and the dynamic-provider process may load different ones), because the check is by mark,
 * not by class.
 */
export class MirrorError extends Error {
  /** Stable, upper snake case, e.g. `REGISTRY_UNAUTHORIZED`; docs/errors.md has them all. */
  readonly code: ErrorCode;
  /** Further single findings, one per line; none of them holds a secret (Pulumi prints them in plain text). */
  readonly reasons: string[];
  /**
   * The message has its code at the end already: of an error that leaves the program as it is.
   *
   * @internal
   */
  readonly saysCode: boolean = false;
  /** @internal */
  readonly [mark] = true;

  /**
   * The single findings with codes of their own, where they have them; `reasons` are their texts.
   *
   * @internal
   */
  readonly parts: readonly Problem[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; reasons?: string[]; parts?: readonly Problem[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.parts = options.parts ?? [];
    this.reasons = options.reasons ?? this.parts.map(({ code: own, text }) => withCode(text, own));
  }

  /** @internal */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null || !(mark in value)) {
      return false;
    }
    // A subclass is recognized by its name, so that `instanceof RegistryError` keeps meaning something.
    if (this === MirrorError) {
      return true;
    }
    for (let p: unknown = value.constructor; typeof p === "function"; p = Object.getPrototypeOf(p)) {
      if (p.name === this.name) {
        return true;
      }
    }
    return false;
  }
}

/** The message of anything thrown, in one line's worth of text. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) {
    // Node's AggregateError (happy eyeballs) has an empty message; its parts say what happened.
    if (error instanceof AggregateError && error.message === "") {
      return error.errors.map(messageOf).join("; ");
    }
    return error.message;
  }
  return String(error);
}

/** The same for a person, where it leaves this package: an error of ours with its code at the end. */
export function textWithCode(error: unknown): string {
  return error instanceof MirrorError && !error.saysCode ? withCode(error.message, error.code) : messageOf(error);
}
