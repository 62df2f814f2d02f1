/**
 * What ssh2 says in words only: its key parser answers with a plain Error, its handshake with the level "handshake" for
 * every reason.
 *
 * - `passphrase-missing`: the key is encrypted, and no passphrase was given.
 * - `passphrase-wrong`: a key that was encrypted does not read as one after decrypting.
 * - `no-common-algorithm`: the two sides have none in common for one of the parts of a handshake.
 */
export type SshClientFailure = "passphrase-missing" | "passphrase-wrong" | "no-common-algorithm";

/** Sources: ssh2 1.17.0, lib/protocol/{keyParser,kex}.js; "bad decrypt" is OpenSSL 3's, which the parser hands on. */
const texts: readonly (readonly [SshClientFailure, RegExp])[] = [
  // "Encrypted private OpenSSH key detected, but no passphrase given", and the like of PEM and PuTTY keys.
  ["passphrase-missing", /key detected, but no passphrase given/],
  // "OpenSSH key integrity check failed -- bad passphrase?", "Malformed OpenSSH private key. Bad passphrase?"
  ["passphrase-wrong", /passphrase\?|integrity check failed|bad decrypt|Malformed OpenSSH private key/i],
  // "Handshake failed: no matching host key format"
  ["no-common-algorithm", /^Handshake failed: no matching /],
];

export function sshClientFailure(message: string): SshClientFailure | undefined {
  return texts.find(([, pattern]) => pattern.test(message))?.[0];
}
