import { RegistryError } from "../registryError";
import { saysNoCredentials } from "./credentialHelperText";
import type { ProgramRun } from "./programRun";
import { runProgram } from "./programRun";
import type { RegistryCredentials } from "./registryCredentials";
import { asCredentials } from "./registryCredentials";

/** A helper may open a key store that asks its user; longer than this means that nobody answers. */
const timeoutMs = 30_000;

/**
 * Runs `docker-credential-HELPER get` with the server's name on its standard input (docker-credential-helpers'
 * protocol).
 *
 * @returns undefined when the helper says that it has nothing for this server.
 * @throws RegistryError `CREDENTIAL_HELPER_FAILED`
 */
export async function runCredentialHelper(
  helper: string,
  serverUrl: string,
  signal: AbortSignal,
  limitMs: number = timeoutMs,
): Promise<RegistryCredentials | undefined> {
  const program = programOf(helper, serverUrl);
  const input = { args: ["get"], stdin: `${serverUrl}\n`, signal, limitMs };
  const run = await runProgram(program, input).catch((error: unknown) => {
    signal.throwIfAborted();
    throw notStarted(program, serverUrl, error as NodeJS.ErrnoException);
  });
  return answerOf(run, program, serverUrl, limitMs);
}

function failed(program: string, serverUrl: string, why: string, cause?: unknown): RegistryError {
  return new RegistryError(
    "CREDENTIAL_HELPER_FAILED",
    `the credential helper ${program}, which the Docker config names for ${serverUrl}, ${why}`,
    { cause },
  );
}

function programOf(helper: string, serverUrl: string): string {
  const program = `docker-credential-${helper}`;
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) {
    throw failed(program, serverUrl, "has a name that cannot be a program's. Correct credHelpers or credsStore.");
  }
  return program;
}

function notStarted(program: string, serverUrl: string, error: NodeJS.ErrnoException): RegistryError {
  const why =
    error.code === "ENOENT"
      ? "is not on PATH. Install it, or give username and password instead."
      : `could not be started (${error.code ?? error.message}).`;
  return failed(program, serverUrl, why, error);
}

function answerOf(
  run: ProgramRun,
  program: string,
  serverUrl: string,
  limitMs: number,
): RegistryCredentials | undefined {
  const fail = (why: string): RegistryError => failed(program, serverUrl, why);
  if (run.late) {
    throw fail(
      `gave no answer within ${limitMs / 1000} s. Run it by hand to see what it waits for: echo ${serverUrl} | ${program} get`,
    );
  }
  if (run.code !== 0) {
    // Only the helper's words about its failure: where it fails, the protocol has no secret on either stream.
    const said = `${run.stdout} ${run.stderr}`.replace(/\s+/g, " ").trim();
    if (saysNoCredentials(said)) {
      return undefined;
    }
    throw fail(`ended with code ${run.code ?? "(killed)"}: ${said.slice(0, 300) || "(no message)"}`);
  }
  return parseHelperAnswer(run.stdout, fail);
}

/** What docker-credential-helpers' protocol has on standard output; undefined for an empty pair. */
export function parseHelperAnswer(
  stdout: string,
  fail: (why: string) => RegistryError,
): RegistryCredentials | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw fail("answered with something that is not JSON.");
  }
  const { Username, Secret } = (answer ?? {}) as { Username?: unknown; Secret?: unknown };
  if (typeof Username !== "string" || typeof Secret !== "string") {
    throw fail("answered without Username and Secret.");
  }
  return Username === "" && Secret === "" ? undefined : asCredentials(Username, Secret);
}
