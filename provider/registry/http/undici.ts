import type * as Undici from "undici";

let loaded: typeof Undici | undefined;

/**
 * The HTTP client, loaded when a registry is first asked: the engine starts the program and the provider anew in every
 * operation, and most of these processes ask none.
 */
export function undici(): typeof Undici {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (loaded ??= require("undici") as typeof Undici);
}
