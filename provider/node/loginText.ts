/**
 * Why a login cannot run a command.
 *
 * - `no-shell`: the user's shell is one that lets nobody in.
 * - `expired`: the account or its password has expired.
 */
export type LoginRefusal = "no-shell" | "expired";

/**
 * These programs end with status 1, as a shell does that ran a failing command, and say in words what they are.
 *
 * Sources: nologin of util-linux 2.38 and shadow 4.13 ("This account is currently not available."), falselogin; pam_unix
 * of Linux-PAM 1.5 and sshd of OpenSSH 9.2, session.c ("Your account has expired; ...", "WARNING: Your password has
 * expired.").
 */
const texts: readonly (readonly [LoginRefusal, RegExp])[] = [
  ["no-shell", /not available|nologin|no login/i],
  ["expired", /\bhas expired\b/i],
];

/** `undefined`: what stands there is of something else. */
export function loginRefusal(said: string): LoginRefusal | undefined {
  return texts.find(([, pattern]) => pattern.test(said))?.[0];
}
