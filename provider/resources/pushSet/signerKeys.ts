import { MirrorError } from "../../model/errors";
import { readBytes } from "../../model/textFile";

/** A public key, as a program gives it. */
export interface GivenKey {
  publicKey?: string;
  publicKeyPath?: string;
}

/**
 * What is in it, wherever it comes from.
 *
 * @throws MirrorError `SIGNATURE_KEY_INVALID` where it is given in no way or in two
 */
export function keyText({ publicKey, publicKeyPath }: GivenKey, argument: string): string | Buffer {
  if ((publicKey === undefined) === (publicKeyPath === undefined)) {
    const found =
      publicKey === undefined ? "neither publicKey nor publicKeyPath is" : "both publicKey and publicKeyPath are";
    throw new MirrorError("SIGNATURE_KEY_INVALID", `${argument}: ${found} given; give one of them.`);
  }
  return publicKey ?? readBytes(publicKeyPath ?? "", `${argument}.publicKeyPath`);
}

/** What an error calls it. */
export function keyArgument({ publicKeyPath }: GivenKey, argument: string): string {
  return publicKeyPath === undefined ? `${argument}.publicKey` : `${argument}.publicKeyPath ${publicKeyPath}`;
}
