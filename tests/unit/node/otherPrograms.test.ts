import assert from "node:assert/strict";

import { type LoginRefusal, loginRefusal } from "../../../provider/node/loginText";
import { explainRefusal } from "../../../provider/node/privilege";
import { type SshClientFailure, sshClientFailure } from "../../../provider/node/ssh/sshClientText";
import { type SudoRefusal, sudoRefusal } from "../../../provider/node/sudoText";

/** As each program prints it. */
const sudo: [string, string, SudoRefusal][] = [
  ["1.9.13", "sudo: a password is required", "wants-password"],
  [
    "1.9.13",
    "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper",
    "wants-password",
  ],
  ["1.8.6", "sudo: no tty present and no askpass program specified", "wants-password"],
  ["sudo-rs", "sudo: interactive authentication is required", "wants-password"],
  ["sudo-rs", "sudo: A terminal is required to authenticate", "wants-password"],
  ["1.8.6", "sudo: sorry, you must have a tty to run sudo", "wants-terminal"],
  ["1.9.13", "Sorry, try again.", "wrong-password"],
  ["1.9.13", "sudo: no password was provided\nsudo: 1 incorrect password attempt", "wrong-password"],
  ["1.9.13", "Sorry, try again.\nsudo: a password is required", "wrong-password"],
  ["1.9.13", "sudo: 3 incorrect password attempts", "wrong-password"],
  ["sudo-rs", "sudo: Authentication failed, try again.", "wrong-password"],
  ["sudo-rs", "sudo: Maximum 3 incorrect authentication attempts", "wrong-password"],
  ["sudo-rs", "sudo: Authentication required but not attempted", "wrong-password"],
  ["1.9.13", "ops is not in the sudoers file.", "not-allowed"],
  ["1.9.13", "Sorry, user ops may not run sudo on node1.", "not-allowed"],
  ["1.9.13", "Sorry, user ops is not allowed to execute '/usr/bin/sh -c x' as root on node1.", "not-allowed"],
  ["sudo-rs", "sudo: I'm sorry ops. I'm afraid I can't do that", "not-allowed"],
  ["1.9.13", "sudo: Account or password is expired, reset your password and try again", "expired"],
  ["1.9.13", "sudo: Password expired, contact your system administrator", "expired"],
];

const login: [string, string, LoginRefusal][] = [
  ["nologin", "This account is currently not available.", "no-shell"],
  ["an administrator's", "No login here, ask the platform team", "no-shell"],
  ["pam_unix", "Your account has expired; please contact your system administrator.", "expired"],
  ["sshd", "WARNING: Your password has expired.", "expired"],
];

const ssh2: [string, SshClientFailure][] = [
  ["Encrypted private OpenSSH key detected, but no passphrase given", "passphrase-missing"],
  ["Encrypted OpenSSH private key detected, but no passphrase given", "passphrase-missing"],
  ["Encrypted PPK private key detected, but no passphrase given", "passphrase-missing"],
  ["OpenSSH key integrity check failed -- bad passphrase?", "passphrase-wrong"],
  ["OpenSSH key integrity check failed", "passphrase-wrong"],
  ["Malformed OpenSSH private key. Bad passphrase?", "passphrase-wrong"],
  ["Malformed OpenSSH private key", "passphrase-wrong"],
  ["error:1C800064:Provider routines::bad decrypt", "passphrase-wrong"],
  ["Handshake failed: no matching host key format", "no-common-algorithm"],
  ["Handshake failed: no matching key exchange algorithm", "no-common-algorithm"],
  ["Handshake failed: no matching C->S cipher", "no-common-algorithm"],
  ["Handshake failed: no matching S->C MAC", "no-common-algorithm"],
];

describe("what sudo, a login and ssh2 say", () => {
  for (const [version, text, cause] of sudo) {
    it(`sudo ${version}: ${text.replace(/\n/g, " | ")}`, () => assert.equal(sudoRefusal(text), cause));
  }
  for (const [program, text, cause] of login) {
    it(`${program}: ${text}`, () => assert.equal(loginRefusal(text), cause));
  }
  for (const [text, cause] of ssh2) {
    it(`ssh2: ${text}`, () => assert.equal(sshClientFailure(text), cause));
  }

  it("what is of something else decides nothing", () => {
    assert.equal(sudoRefusal("sudo: unable to resolve host node1: Name or service not known"), undefined);
    assert.equal(loginRefusal("Your password will expire in 7 days."), undefined);
    assert.equal(sshClientFailure("Unsupported key format"), undefined);
    assert.equal(sshClientFailure("Handshake failed: signature verification failed"), undefined);
  });

  it("C9: an expired account is told to be renewed, not to be given another shell; sudo that is not there by its status", () => {
    const ops = { prefix: "env LC_ALL=C sudo -n -- ", password: undefined, user: "ops" };
    const expired = explainRefusal("n", ops, 1, "Your account has expired; please contact ...", "");
    assert.equal(expired?.code, "NODE_SHELL");
    assert.match(expired?.message ?? "", /chage -l ops/);
    const bySudo = explainRefusal("n", ops, 1, "sudo: Password expired, contact your system administrator", "");
    assert.equal(bySudo?.code, "NODE_SUDO");
    assert.match(bySudo?.message ?? "", /chage -l ops/);
    const missing = explainRefusal("n", ops, 127, "env: « sudo »: Aucun fichier ou dossier de ce type", "");
    assert.equal(missing?.code, "NODE_SUDO");
    assert.match(missing?.message ?? "", /sudo is not installed/);
    assert.equal(explainRefusal("n", { ...ops, prefix: "", user: "root" }, 127, "", ""), undefined);
  });
});
