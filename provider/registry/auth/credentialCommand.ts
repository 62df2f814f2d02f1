import { messageOf } from "../../model/errors";
import { RegistryError } from "../registryError";
import { parseHelperAnswer } from "./credentialHelper";
import { runProgram } from "./programRun";
import type { RegistryCredentials } from "./registryCredentials";
import { asCredentials } from "./registryCredentials";

/** A command that asks its user, or a service that does not answer, is ended after so long. */
const timeoutMs = 60_000;

/**
 * Runs a command that prints a credential: the password or token itself where the user is known, else the JSON of
 * docker-credential-helpers, `{"Username": "...", "Secret": "..."}`. No shell is between, and nothing is on its standard input.
 *
 * @throws RegistryError `CREDENTIAL_COMMAND_FAILED`, which never quotes standard output; the signal's reason
 */
export async function runCredentialCommand(
  command: readonly string[],
  username: string | undefined,
  signal: AbortSignal,
  { limitMs = timeoutMs, argument = "registry" }: { limitMs?: number; argument?: string | undefined } = {},
): Promise<RegistryCredentials> {
  const [program = "", ...args] = command;
  const fail = (why: string, cause?: unknown): RegistryError =>
    new RegistryError("CREDENTIAL_COMMAND_FAILED", `${argument}.credentialCommand: ${program} ${why}`, { cause });
  const run = await runProgram(program, { args, stdin: "", signal, limitMs }).catch((error: unknown) => {
    signal.throwIfAborted();
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw fail(
      missing ? "is not on PATH. Install it, or give its path." : `could not be started: ${messageOf(error)}.`,
      error,
    );
  });
  if (run.late) {
    throw fail(`gave no credential within ${limitMs / 1000} s. Run it by hand to see what it waits for.`);
  }
  if (run.code !== 0) {
    const said = run.stderr.replace(/\s+/g, " ").trim();
    throw fail(`ended with code ${run.code ?? "(killed)"}: ${said.slice(0, 300) || "(no message)"}`);
  }
  if (username === undefined || username === "") {
    const wayOut =
      'Give username beside it where it prints a password or token alone, else let it print {"Username": "...", "Secret": "..."}.';
    const found = parseHelperAnswer(run.stdout, (why) => fail(`${why} ${wayOut}`));
    if (found === undefined) {
      throw fail(`printed an empty credential. ${wayOut}`);
    }
    return found;
  }
  const password = run.stdout.trim();
  if (password === "") {
    throw fail("printed nothing. It must print the password or token on its standard output.");
  }
  if (/[\r\n]/.test(password)) {
    throw fail("printed more than one line. It must print the password or token alone.");
  }
  return asCredentials(username, password);
}
