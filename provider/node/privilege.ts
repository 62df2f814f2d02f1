import type { NodeConnection } from "./connection";
import { loginRefusal } from "./loginText";
import { NodeError, quoteRemote } from "./nodeError";
import { type SudoRefusal, sudoRefusal } from "./sudoText";

/** How a command becomes root's. */
export interface Privilege {
  /**
   * Prefix of the command line, empty for root. `env` finds sudo whatever the login shell is, ends with 127 where there
   * is none, and has sudo speak English (sudoText.ts).
   */
  readonly prefix: string;
  /** Sent as the first line of standard input, where sudo -S reads it; never an argument. */
  readonly password: string | undefined;
  readonly user: string;
}

export function privilegeOf(connection: NodeConnection): Privilege {
  const user = connection.user ?? "root";
  if (user === "root") {
    return { prefix: "", password: undefined, user };
  }
  return connection.sudoPassword === undefined
    ? { prefix: "env LC_ALL=C sudo -n -- ", password: undefined, user }
    : { prefix: "env LC_ALL=C sudo -S -p '' -- ", password: connection.sudoPassword, user };
}

/** The status with which `env` and every shell end when they do not find a program (POSIX, env: EXIT STATUS). */
const notFound = 127;

/** What a shell's or sudo's refusal means; undefined when the text is about something else. */
export function explainRefusal(
  node: string,
  privilege: Privilege,
  exitCode: number | undefined,
  stderr: string,
  stdout: string,
): NodeError | undefined {
  if (privilege.prefix !== "") {
    const refusal = exitCode === notFound ? "not-installed" : sudoRefusal(stderr);
    if (refusal !== undefined) {
      return new NodeError("NODE_SUDO", node, sudoText(refusal, privilege, stderr));
    }
  }
  const said = quoteRemote(`${stdout}\n${stderr}`, 300);
  const refusal = loginRefusal(said);
  return refusal === undefined
    ? undefined
    : new NodeError(
        "NODE_SHELL",
        node,
        `the user ${privilege.user} cannot run commands there: ${said}; ${
          refusal === "expired"
            ? `renew the account or its password (chage -l ${privilege.user} shows what has expired)`
            : `give it a login shell (chsh -s /bin/sh ${privilege.user})`
        }`,
      );
}

function sudoText(refusal: SudoRefusal | "not-installed", { user, password }: Privilege, stderr: string): string {
  const line = `"${user} ALL=(root) NOPASSWD: ALL" in /etc/sudoers.d/${user} (visudo -f /etc/sudoers.d/${user})`;
  const terminal = `sudo wants a terminal for the user ${user} (Defaults requiretty); take that line out of its sudoers file, or connect as root`;
  switch (refusal) {
    case "not-installed":
      return `the user ${user} is not root and sudo is not installed; install sudo and add ${line}, or connect as root`;
    case "expired":
      return `sudo does not let the user ${user} in (${quoteRemote(stderr, 200)}); renew the account or its password (chage -l ${user} shows what has expired), or connect as root`;
    case "wrong-password":
      return `sudo refused the sudoPassword of the user ${user}; set connection.sudoPassword to that user's own password`;
    case "not-allowed":
      return `the user ${user} may not use sudo (${quoteRemote(stderr, 200)}); add ${line}, or connect as root`;
    case "wants-terminal":
      return terminal;
    case "wants-password":
      return password === undefined
        ? `sudo asks the user ${user} for a password; give it as connection.sudoPassword, or add ${line}`
        : terminal;
  }
}
