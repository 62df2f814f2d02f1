import { readFile, stat } from "node:fs/promises";

import type { AnyAuthMethod, AuthenticationType, ParsedKey } from "ssh2";

import { messageOf } from "../../model/errors";
import type { NodeConnection } from "../connection";
import { NodeError } from "../nodeError";
import { expandHome } from "./paths";
import { ssh2 } from "./ssh2";
import { sshClientFailure } from "./sshClientText";

/** How we log in: the methods to try, in order, and their names for the error when none of them is taken. */
export interface Identity {
  user: string;
  methods: AnyAuthMethod[];
  /** For people: `privateKey (ssh-ed25519)`, `agent /run/…`, `password`. No secrets. */
  described: string[];
}

/**
 * Errors: `NODE_KEY` (unreadable, encrypted without or with a wrong passphrase, a public key), `NODE_AUTH` (nothing
 * given at all).
 */
export async function loadIdentity(connection: NodeConnection, node: string): Promise<Identity> {
  const user = connection.user ?? "root";
  const methods: AnyAuthMethod[] = [];
  const described: string[] = [];

  const key = await loadPrivateKey(connection, node);
  if (key) {
    // The types ask for a string or Buffer, but a parsed key is taken as well and keeps the passphrase in one place.
    methods.push({ type: "publickey", username: user, key: key.parsed as unknown as Buffer });
    described.push(`${key.name} (${key.parsed.type})`);
  }
  const agent = agentSocket(connection, key !== undefined || connection.password !== undefined);
  if (agent !== undefined) {
    await checkAgentSocket(agent, connection, node);
    methods.push({ type: "agent", username: user, agent });
    described.push(`agent ${agent}`);
  }
  const password = connection.password;
  if (password !== undefined) {
    methods.push({ type: "password", username: user, password });
    // PAM set-ups often offer the same password only as keyboard-interactive.
    methods.push({
      type: "keyboard-interactive",
      username: user,
      prompt: (_name, _instructions, _language, prompts, finish) => {
        // Only a hidden prompt is a password prompt; a visible one may be a user name or a code, and is not to get the
        // password.
        finish(prompts.map((prompt) => (prompt.echo === true ? "" : password)));
      },
    });
    described.push("password");
  }
  if (methods.length === 0) {
    throw new NodeError(
      "NODE_AUTH",
      node,
      "no way to log in was given: set privateKey, privateKeyPath, password or agentSocketPath, " +
        "or run with SSH_AUTH_SOCK pointing to an agent",
    );
  }
  return { user, methods, described };
}

/**
 * An agent named by the program is always used; the environment's only where nothing else was given, so that its keys
 * do not use up the server's tries.
 */
function agentSocket(connection: NodeConnection, otherGiven: boolean): string | undefined {
  if (connection.agentSocketPath !== undefined) {
    return expandHome(connection.agentSocketPath);
  }
  // Windows' own OpenSSH agent needs no variable.
  const usual =
    process.env["SSH_AUTH_SOCK"] || (process.platform === "win32" ? "\\\\.\\pipe\\openssh-ssh-agent" : undefined);
  return otherGiven ? undefined : usual;
}

async function checkAgentSocket(path: string, connection: NodeConnection, node: string): Promise<void> {
  // Pageant and Windows pipes are no files.
  if (process.platform === "win32") {
    return;
  }
  const given = connection.agentSocketPath !== undefined ? "agentSocketPath" : "SSH_AUTH_SOCK";
  const found = await stat(path).catch(() => undefined);
  if (!found?.isSocket()) {
    throw new NodeError(
      "NODE_AUTH",
      node,
      `${given} ${path} is ${found ? "no socket" : "not there"}; start an agent (ssh-agent, ssh-add) or give a privateKeyPath`,
    );
  }
}

async function loadPrivateKey(
  connection: NodeConnection,
  node: string,
): Promise<{ name: string; parsed: ParsedKey } | undefined> {
  if (connection.privateKey === undefined && connection.privateKeyPath === undefined) {
    return undefined;
  }
  if (connection.privateKey !== undefined && connection.privateKeyPath !== undefined) {
    throw new NodeError("NODE_KEY", node, "privateKey and privateKeyPath are both given; keep one of them");
  }
  const name = connection.privateKey !== undefined ? "privateKey" : `privateKeyPath ${connection.privateKeyPath}`;
  let text = connection.privateKey;
  if (text === undefined) {
    try {
      text = await readFile(expandHome(connection.privateKeyPath ?? ""), "utf8");
    } catch (error) {
      throw new NodeError("NODE_KEY", node, `${name} cannot be read (${messageOf(error)})`, { cause: error });
    }
  }
  // A key pasted into a configuration value often lost its last newline or got Windows line ends; OpenSSH's format
  // needs neither.
  const parsed = ssh2().utils.parseKey(`${text.replace(/\r\n/g, "\n").trim()}\n`, connection.privateKeyPassword);
  const first = Array.isArray(parsed) ? (parsed[0] as ParsedKey | undefined) : parsed;
  if (first === undefined || first instanceof Error) {
    throw keyError(node, name, first?.message ?? "no key in it", connection.privateKeyPassword !== undefined);
  }
  if (!first.isPrivateKey()) {
    throw new NodeError("NODE_KEY", node, `${name} is a public key; give the private one (the file without .pub)`);
  }
  return { name, parsed: first };
}

function keyError(node: string, name: string, message: string, passphraseGiven: boolean): NodeError {
  const failure = sshClientFailure(message);
  if (failure === "passphrase-missing") {
    return new NodeError(
      "NODE_KEY",
      node,
      `${name} is encrypted; give its passphrase as privateKeyPassword, or use an agent`,
    );
  }
  if (passphraseGiven && failure === "passphrase-wrong") {
    return new NodeError("NODE_KEY", node, `${name} does not open with the given privateKeyPassword`);
  }
  // The library's words for what is wrong with the format name no part of the key.
  return new NodeError(
    "NODE_KEY",
    node,
    `${name} is no private key that can be read (${message}); OpenSSH, PEM and PuTTY formats are`,
  );
}

/** The names of the methods, for comparison with what a server says it takes. */
export function methodName(method: AnyAuthMethod): AuthenticationType {
  return method.type === "agent" ? "publickey" : method.type;
}
