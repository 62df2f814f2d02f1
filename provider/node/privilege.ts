import type { NodeConnection } from "./connection";
import { NodeError, quoteRemote } from "./nodeError";

/** How a command becomes root's. */
export interface Privilege {
  /** Prefix of the command line, empty for root. */
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
    ? { prefix: "sudo -n -- ", password: undefined, user }
    : { prefix: "sudo -S -p '' -- ", password: connection.sudoPassword, user };
}

/** What a shell's or sudo's refusal means; undefined when the text is about something else. */
export function explainRefusal(
  node: string,
  privilege: Privilege,
  exitCode: number | undefined,
  stderr: string,
  stdout: string,
): NodeError | undefined {
  const { user } = privilege;
  const line = `"${user} ALL=(root) NOPASSWD: ALL" in /etc/sudoers.d/${user} (visudo -f /etc/sudoers.d/${user})`;
  const sudo = (message: string) => new NodeError("NODE_SUDO", node, message);
  if (privilege.prefix !== "") {
    if (/not found/.test(stderr) && (/sudo/.test(stderr) || exitCode === 127)) {
      return sudo(
        `the user ${user} is not root and sudo is not installed; install sudo and add ${line}, or connect as root`,
      );
    }
    if (/a password is required|terminal is required|no tty present/.test(stderr)) {
      return sudo(
        privilege.password === undefined
          ? `sudo asks the user ${user} for a password; give it as connection.sudoPassword, or add ${line}`
          : `sudo wants a terminal for the user ${user} (Defaults requiretty); take that line out of its sudoers file, or connect as root`,
      );
    }
    if (/incorrect password|try again|no password was provided/i.test(stderr)) {
      return sudo(
        `sudo refused the sudoPassword of the user ${user}; set connection.sudoPassword to that user's own password`,
      );
    }
    if (/not in the sudoers file|may not run sudo|is not allowed to (execute|run)/i.test(stderr)) {
      return sudo(`the user ${user} may not use sudo (${quoteRemote(stderr, 200)}); add ${line}, or connect as root`);
    }
    if (/must have a tty/.test(stderr)) {
      return sudo(
        `sudo wants a terminal for the user ${user} (Defaults requiretty); take that line out of its sudoers file, or connect as root`,
      );
    }
  }
  const said = quoteRemote(`${stdout}\n${stderr}`, 300);
  if (/not available|nologin|no login|expired/i.test(said)) {
    return new NodeError(
      "NODE_SHELL",
      node,
      `the user ${user} cannot run commands there: ${said}; give it a login shell (chsh -s /bin/sh ${user})`,
    );
  }
  return undefined;
}
