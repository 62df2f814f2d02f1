/**
 * Why sudo did not run our program.
 *
 * - `expired`: the account or its password has expired.
 * - `wrong-password`: the password was not taken.
 * - `not-allowed`: no line of sudoers lets this user be root.
 * - `wants-terminal`: sudoers has `requiretty`.
 * - `wants-password`: sudo would ask, and there is nobody to answer.
 */
export type SudoRefusal = "expired" | "wrong-password" | "not-allowed" | "wants-terminal" | "wants-password";

/**
 * sudo ends with status 1 for all of these and says which in words only. This table is the one place where they are
 * read; privilege.ts sets LC_ALL=C, so that they are English. The first line that fits decides.
 *
 * Sources: sudo 1.8.0 to 1.9.16, src/tgetpass.c, plugins/sudoers/{sudoers,logging,check}.c, plugins/sudoers/auth/
 * {sudo_auth,pam}.c; sudo-rs 0.2 (Ubuntu from 25.10 on), src/common/error.rs and src/pam/error.rs.
 */
const texts: readonly (readonly [SudoRefusal, RegExp])[] = [
  // Both: "Account or password is expired, reset your password and try again", "Password expired, contact your system
  // administrator"; sudo: "Account expired or PAM config lacks an ..."
  ["expired", /(Account or password is|Password|Account) expired\b/],
  // sudo: "Sorry, try again.", "3 incorrect password attempts", "no password was provided"; sudo-rs: "Authentication
  // failed, try again.", "Maximum 3 incorrect authentication attempts", "Authentication required but not attempted"
  [
    "wrong-password",
    /try again|incorrect (password|authentication) attempt|no password was provided|required but not attempted/i,
  ],
  // sudo: "U is not in the sudoers file.", "Sorry, user U may not run sudo on H.", "Sorry, user U is not allowed to
  // execute 'C' as root on H."; sudo-rs: the last two, and "I'm sorry U. I'm afraid I can't do that"
  ["not-allowed", /not in the sudoers file|may not run |is not allowed to (execute|run)|afraid I can't do that/i],
  // sudo: "sorry, you must have a tty to run sudo"
  ["wants-terminal", /must have a tty/],
  // sudo: "a password is required" (-n), "a terminal is required to read the password", up to 1.8 "no tty present and no
  // askpass program specified"; sudo-rs: "interactive authentication is required", "A terminal is required to
  // authenticate"
  [
    "wants-password",
    /a password is required|terminal is required|no tty present|interactive authentication is required/,
  ],
];

/** `undefined`: what stands there is not sudo's. */
export function sudoRefusal(stderr: string): SudoRefusal | undefined {
  return texts.find(([, pattern]) => pattern.test(stderr))?.[0];
}
