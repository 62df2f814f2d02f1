/** What a registry is shown. Secret. */
export type RegistryCredentials =
  | { kind: "password"; username: string; password: string }
  /** An OAuth2 refresh token of a token server. */
  | { kind: "identityToken"; token: string };

/** Docker's convention: the user `<token>` says that the password is an identity token. */
export function asCredentials(username: string, password: string): RegistryCredentials {
  return username === "<token>" ? { kind: "identityToken", token: password } : { kind: "password", username, password };
}
