import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

/** Keys and signatures of Debian's openssl, which judges them, too. */
export class Signer {
  constructor(private readonly folder: string) {}

  /** @returns paths of a new key's halves */
  key(name: string, curve = "prime256v1"): { secret: string; pem: string; der: string } {
    const at = (end: string): string => join(this.folder, `${name}.${end}`);
    const [secret, pem, der] = [at("key"), at("pem"), at("der")];
    openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", secret);
    openssl("ec", "-in", secret, "-pubout", "-out", pem);
    openssl("ec", "-in", secret, "-pubout", "-outform", "DER", "-out", der);
    return { secret, pem, der };
  }

  sign(secret: string, file: string, signature = `${file}.1.sig`): string {
    openssl("dgst", "-sha256", "-sign", secret, "-out", signature, file);
    return signature;
  }

  /** Whether openssl says "Verified OK". */
  verifies(pem: string, signature: string, file: string): boolean {
    return spawnSync("openssl", ["dgst", "-sha256", "-verify", pem, "-signature", signature, file]).status === 0;
  }
}

export function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
