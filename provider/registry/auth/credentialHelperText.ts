/**
 * A credential helper ends with status 1 for every failure, also when it has nothing for the server that it was asked
 * about; only its words tell that this is no failure.
 *
 * Source: docker-credential-helpers 0.9, credentials/error.go, whose text every helper made with it prints:
 * "credentials not found in native keychain". The Docker CLI decides by the same.
 */
const hasNone = /credentials not found/i;

export function saysNoCredentials(said: string): boolean {
  return hasNone.test(said);
}
